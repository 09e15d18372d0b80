"""One command against a target: its deadline, signals and errors."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Generic

from typing_extensions import TypeVar

from aioappsapi import App, Client, Fleet, FleetRun, Run
from aioappsapi.cli.console import fail
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import Output, RunFlags, TargetFlags
from aioappsapi.cli.progress import Display
from aioappsapi.cli.signals import Interruption
from aioappsapi.cli.telemetry import command_span
from aioappsapi.cli.wording import as_typed, in_words
from aioappsapi.errors import AppsApiError, DeadlineError, InvalidInputError


class Clock:
    """The time that a command has, from its start. Time for answers of the user does not count."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._began = time.monotonic()
        self._scope: asyncio.Timeout | None = None

    @property
    def left(self) -> float | None:
        """The remaining seconds; None without a deadline."""
        if self._seconds is None:
            return None
        return self._began + self._seconds - time.monotonic()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count the time inside."""
        began = time.monotonic()
        try:
            yield
        finally:
            pause = time.monotonic() - began
            self._began += pause
            if self._scope is not None and (when := self._scope.when()) is not None:
                self._scope.reschedule(when + pause)

    def over(self, what: str) -> DeadlineError:
        """Return the error for a deadline that came first."""
        return DeadlineError(f"--deadline {in_words(self._seconds or 0.0)} was over during {what}.")

    @asynccontextmanager
    async def bounding(self, what: str) -> AsyncIterator[None]:
        """End what is inside when the time is over. Raises DeadlineError."""
        self._scope = scope = asyncio.timeout(self.left)
        try:
            async with scope:
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise self.over(what) from None
        finally:
            self._scope = None


C = TypeVar("C", Client, Fleet, default=Client)


class Session(Generic[C]):
    """An open client or fleet, with the clock and the signals of the command that uses it.

    `run` is the one that goes on, and `shown` is how a person sees it.
    """

    def __init__(self, client: C, clock: Clock, interruption: Interruption) -> None:
        self.client: C = client
        self.clock = clock
        self.interruption = interruption
        self.run: Run[App] | FleetRun[App]
        self.shown: Display

    @contextmanager
    def with_a_person(self) -> Iterator[None]:
        """Stop the clock for a question to the user; Ctrl-C then ends the question."""
        with self.clock.stopped(), self.interruption.paused():
            yield


Work = Callable[[Session[C]], Awaitable[Exit]]
Open = Callable[[TargetFlags, RunFlags], AbstractContextManager[C]]


def execute(
    open_: Open[C],
    prepare: Callable[[], Work[C] | Exit],
    target: TargetFlags,
    *,
    output: Output = "text",
    deadline: float | None = None,
    run: RunFlags | None = None,
    interrupted: str = "nothing was sent.",
) -> Exit:
    """Do the work of a command with what `open_` opens, and return its exit status.

    `prepare` checks everything that can be checked before a connection is made; it returns a status
    where there is nothing to do. `interrupted` is the message for a signal before a run.
    """
    interruption = Interruption()
    try:
        work = prepare()
        if isinstance(work, Exit):
            return work
        with open_(target, run or RunFlags()) as client:
            return asyncio.run(_log_in_and_work(client, work, deadline, interruption))
    except InvalidInputError as wrong:
        return fail(wrong, Exit.USAGE, output, message=as_typed(str(wrong)))
    except AppsApiError as error:
        return fail(error, Exit.COULD_NOT_BEGIN, output)
    except (KeyboardInterrupt, asyncio.CancelledError):
        # A Ctrl-C outside the event loop is not handled by this module.
        status = Exit.of_signal(interruption.signal or signal.SIGINT)
        return fail(KeyboardInterrupt(), status, output, message=f"interrupted; {interrupted}")


async def _log_in_and_work(
    client: C, work: Work[C], deadline: float | None, interruption: Interruption
) -> Exit:
    if (task := asyncio.current_task()) is not None:
        interruption.respond = lambda first: first and task.cancel()
    clock = Clock(deadline)
    with interruption.watching(), command_span():
        async with client:
            if isinstance(client, Client):  # a fleet logs in while it selects
                try:
                    await client.log_in(deadline=clock.left)
                except DeadlineError:
                    raise clock.over("login; nothing was sent") from None
            return await work(Session(client, clock, interruption))
