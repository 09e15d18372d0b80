"""One start, stop or restart, and the wait for its effect."""

from __future__ import annotations

from typing import Final

import anyio
import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.clock import loop_time
from aioappsapi._http.message import Replay
from aioappsapi._http.protocol import Operation
from aioappsapi._http.retry.policy import is_refusal_of_app
from aioappsapi.config import startup_timeout
from aioappsapi.errors import AppsApiError, DeadlineError, DecodeError
from aioappsapi.models.app import App
from aioappsapi.waiting.assess import Wait, check_wait
from aioappsapi.waiting.finding import Finding
from aioappsapi.waiting.readers import Readers
from aioappsapi.waiting.waiter import VERIFY_FOR, Waiter

# The last poll may overrun the deadline by this many seconds.
_LAST_POLL: Final = 0.5


class _Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the request: an app, a doubt, or neither if the answer proves nothing."""

    at: float
    app: App | None = None
    doubt: AppsApiError | None = None


async def act_and_wait(
    caller: Caller,
    readers: Readers,
    operation: Operation[App],
    guid: str,
    *,
    wait: Wait,
    deadline: float | None,
    until_stopped: bool = False,
) -> App:
    """Send an action, then wait until the instances satisfy `wait` (not ``none``).

    `deadline` is in seconds for both together. Without one, the wait takes at most
    `CF_STARTUP_TIMEOUT`. Raises the error of the request or of the wait.
    """
    check_wait(wait)
    patience = startup_timeout() if deadline is None else deadline
    began_at = loop_time()
    sent = await _send(caller, operation, guid, deadline)
    # A deadline covers everything; the startup timeout begins when the server accepted.
    accepted_at = loop_time()
    ends_at = patience + (accepted_at if deadline is None else began_at)
    if sent.doubt is not None:
        ends_at = min(ends_at, accepted_at + VERIFY_FOR)
    # A restart makes new instances, so the old ones prove nothing.
    only_new = operation.replay is Replay.ONCE
    waiter = Waiter(readers, wait, until_stopped=until_stopped, only_new=only_new)
    seen = await _wait_for(waiter, guid, f"{operation.name} {guid}", sent, ends_at)
    return sent.app or seen or await readers.apps.get(guid)


async def _send(
    caller: Caller, operation: Operation[App], guid: str, deadline: float | None
) -> _Sent:
    began_at = loop_time()
    app: App | None = None
    doubt: AppsApiError | None = None
    with recorded(CallLog) as log:
        try:
            app = await caller.call(operation, guid, deadline=deadline)
        except DecodeError:
            pass  # a success whose answer proves nothing: the wait shows its effect
        except DeadlineError:
            raise
        except AppsApiError as failure:
            # The server does not show whether a restart took effect, so only other actions are
            # verified.
            if operation.replay is Replay.ONCE or not is_open(log, failure):
                raise
            doubt = failure
    # The last attempt counts. Time before it (gate, slot, retries) is not time since the request.
    at = began_at if log.last_sent_at is None else log.last_sent_at
    return _Sent(at=at, app=app, doubt=doubt)


def is_open(log: CallLog, failure: AppsApiError) -> bool:
    """Check whether any attempt of a failed action may have taken effect."""
    return log.ambiguous and not is_refusal_of_app(failure)


async def _wait_for(
    waiter: Waiter, guid: str, what: str, sent: _Sent, ends_at: float
) -> App | None:
    """Wait for one app, and return it if its state was read. Raises the error of the wait."""
    findings: list[Finding] = []
    waiter.watch(
        guid,
        what,
        sent_at=sent.at,
        ends_at=ends_at,
        doubt=sent.doubt,
        needs_state=sent.app is None,
    )
    waiter.complete()
    with anyio.CancelScope(deadline=ends_at + _LAST_POLL):
        await waiter.run(findings.append)
    finding = findings[0] if findings else waiter.too_late(guid)
    if finding.error is not None:
        raise finding.error
    return finding.app
