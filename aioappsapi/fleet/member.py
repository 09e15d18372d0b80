"""One foundation in a run over several: login, selection, its own run, and its report."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic

import anyio
import msgspec

from aioappsapi.bulk.reports.outcome import Outcome, T_co
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.conclude import RunAbortedError
from aioappsapi.bulk.run.run import Run
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError, NotAttemptedError
from aioappsapi.fleet.ask import ask
from aioappsapi.fleet.selection import Find, Found, Given, find, is_known

# Makes the run of a foundation over its apps.
Begin = Callable[["Member[T_co]", Found], Run[T_co]]


class Member(Generic[T_co]):
    """One foundation in a run over several.

    `run` is there once its apps are known. `error` says why the foundation could not be used, or
    why its run could not go on. Raises InvalidInputError for apps and options that no run can have.
    """

    def __init__(
        self, name: str, client: Client, given: Given | Find, action: str, begin: Begin[T_co]
    ) -> None:
        self.name = name
        self.client = client
        self.error: AppsApiError | None = None
        self.ended = False
        self.wave: int | None = None
        self._given = given
        self._action = action
        self._begin = begin
        self._started_at = datetime.now(UTC)
        self._preparing = anyio.CancelScope()
        self._stop_reason: str | None = None
        # Bad options are found now, before anything is sent anywhere.
        checked = begin(self, given if is_known(given) else [])  # type: ignore[arg-type]
        self.run: Run[T_co] | None = checked if is_known(given) else None

    async def work(self, patience: float, deadline: float) -> None:
        """Log in, find the apps and work until each has its outcome.

        A foundation that answers nothing for `patience` seconds is given up; `deadline` is a time
        of the loop's clock. What breaks here and is no bug is kept as `error`.
        """
        try:
            if self._stop_reason is None:
                await self._try_to_prepare(patience, deadline)
            if self.run is not None:
                self.run.end_by(deadline)
                await self.run.run()
        except RunAbortedError as aborted:
            if not isinstance(aborted.__cause__, AppsApiError | OSError):
                raise
            self.error = AppsApiError(str(aborted))
        except AppsApiError as error:  # its journal cannot be used, for example
            self.error = self.error or error.detached()
        finally:
            self.ended = True

    async def _try_to_prepare(self, patience: float, deadline: float) -> None:
        try:
            await ask(
                self.client,
                self._prepare,
                patience=patience,
                deadline=deadline,
                scope=self._preparing,
            )
        except AppsApiError as error:
            self.error = error.detached()
            self.stop(f"the target cannot be used: {str(error).rstrip('.')}")

    async def _prepare(self, client: Client) -> None:
        if isinstance(self._given, AppsApiError):
            raise self._given
        # Through the call layer, which retries: a login by itself would fail at once.
        await client.info.root()
        if self.run is None:
            run = self._begin(self, await find(self._given, client))
            await run.read_keys()
            self.run = run

    def stop(self, reason: str, *, grace: float = math.inf) -> None:
        """Begin nothing new; end a login or a selection that is under way."""
        self._stop_reason = self._stop_reason or reason
        self._preparing.cancel()
        if self.run is not None:
            self.run.stop(reason, grace=grace)

    def conclude(self, reason: str) -> None:
        """Give an outcome to every app that is known, and a reason where none is."""
        self.ended = True
        reason = self._stop_reason or reason
        if self.run is not None and not self.run.began:
            self.run.skip_all(reason)
        if self.run is None and self.error is None:
            self.error = NotAttemptedError(f"{self.client.api_url}: {reason}.")

    @property
    def total(self) -> int | None:
        """The number of apps; None while it is unknown."""
        if self.run is not None:
            return self.run.total
        return 0 if self.ended or isinstance(self._given, AppsApiError) else None

    def placed(self, outcome: Outcome[T_co]) -> Outcome[T_co]:
        """Return an outcome with its target, and its wave if foundations go in waves."""
        target = outcome.target or self.client.api_url
        wave = self.wave if outcome.wave is None else outcome.wave
        return msgspec.structs.replace(outcome, target=target, wave=wave)

    def report(self) -> Report[T_co]:
        """Return what is known of this foundation."""
        report = self._empty_report() if self.run is None else self.run.report
        if self.wave is not None:
            report = report.with_outcomes(map(self.placed, report))
        if self.error is not None:
            report.target_errors[self.client.api_url] = self.error
        return report

    def _empty_report(self) -> Report[T_co]:
        return Report[T_co](
            (),
            action=self._action,
            target=self.client.api_url,
            started_at=self._started_at,
            finished_at=datetime.now(UTC),
            complete=False,
        )
