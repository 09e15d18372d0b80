"""The lines of a journal: the moves that write them, and the events that they replay.

Only facts that a later process needs are written, and only for steps with a ``sending`` line:
without that line no request went out, and no fact is needed. Times are wall times, in
seconds since the epoch; in memory they are the event loop's.
"""

from __future__ import annotations

import msgspec

from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report_json import OutcomeRecord
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.states import ASKING, DONE, PENDING, RETRY_LATER, VERIFYING, Did


class Resumed(msgspec.Struct, tag="resumed", array_like=True, frozen=True):
    """A process began to use this journal, with this policy of waiting."""

    wait: str
    at: float


class Sending(msgspec.Struct, tag="sending", array_like=True, frozen=True):
    """The request of a step is about to go out. On disk before it does.

    `made` is the name of the build or deployment that it will make.
    """

    key: str
    step: int
    made: str | None = None
    at: float | None = None


class Accepted(msgspec.Struct, tag="accepted", array_like=True, frozen=True):
    """The server accepted a step, and its proof is awaited. `made` is its build or deployment."""

    key: str
    sent_at: float | None
    made: str | None = None


class NotDone(msgspec.Struct, tag="not_done", array_like=True, frozen=True):
    """A journaled step surely had no effect."""

    key: str


class Ended(msgspec.Struct, tag="ended", array_like=True, frozen=True):
    """An app has its outcome. `proof` is the policy of waiting that its instances satisfied."""

    key: str
    did: Did
    proof: str
    sent_at: float | None
    outcome: OutcomeRecord


class Arranged(msgspec.Struct, tag="waves", array_like=True, frozen=True):
    """The waves of the run in order, each with its name and its apps. The last line counts."""

    waves: list[tuple[str, list[str]]]


Line = Resumed | Arranged | Sending | Accepted | NotDone | Ended


def line_for(run: AppRun, skew: float, record: OutcomeRecord | None) -> Line | None:
    """Return the line that the journal needs after a move, if it needs one.

    `skew` is wall time minus the loop's clock, `record` the outcome of an app that is DONE.
    """
    if not run.journaled:
        return None
    sent_at = None if run.sent_at is None else run.sent_at + skew
    if run.state is VERIFYING and run.did is Did.YES:
        return Accepted(run.key, sent_at, run.made)
    if run.state is RETRY_LATER and not run.is_open:
        run.not_done()
        return NotDone(run.key)
    if run.state is DONE and record is not None:
        if run.status is Status.NOT_ATTEMPTED:
            run.not_done()
            return NotDone(run.key)
        return Ended(run.key, run.did, run.proof, sent_at, record)
    return None


def replay(run: AppRun, line: Line, skew: float) -> None:
    """Apply a line to an app. Applying it twice changes nothing more."""
    match line:
        case Resumed():
            run.resumed(line.wait)
        case Sending():
            run.reached(line.step)
            run.state = ASKING
            run.sending()
            if line.made is not None and line.at is not None:
                # Its build or deployment is younger than this.
                run.made, run.sent_at = line.made, line.at - skew
        case Accepted():
            # Not by `accepted`: the need for a proof was an option of the earlier process.
            run.state, run.journaled, run.did, run.made = VERIFYING, True, Did.YES, line.made
            run.sent_at = None if line.sent_at is None else line.sent_at - skew
        case NotDone():
            run.state = PENDING
            run.not_done()
        case Ended():
            run.journaled, run.did, run.proof = True, line.did, line.proof
            run.sent_at = None if line.sent_at is None else line.sent_at - skew
            run.state, run.status = DONE, line.outcome.status
