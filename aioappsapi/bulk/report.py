"""The report of a bulk run: one outcome per app, and what it took."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar, overload

from aioappsapi._http.call_log import CallLog
from aioappsapi.bulk.comparison import Comparison
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.records import decode_lines, decode_report, encode_outcome
from aioappsapi.bulk.timing import COUNTED, Moments, Step, moments_of, step_for, throughput, timings
from aioappsapi.bulk.writers import write_report
from aioappsapi.errors import AppsApiError, InvalidInputError, NotAttemptedError

T_co = TypeVar("T_co", covariant=True)

SCHEMA: Final = 1

# The formats that keep everything; the others are for people and their tools.
LOADABLE: Final = (".json", ".jsonl")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Requests:
    """What a run sent. `by_status` counts answers by HTTP status and failures by their error."""

    def __init__(self, sent: int = 0, retried: int = 0, by_status: Counter[str] | None = None):
        self.sent = sent
        self.retried = retried
        self.by_status: Counter[str] = by_status if by_status is not None else Counter()

    def __repr__(self) -> str:
        return f"<Requests sent={self.sent} retried={self.retried}>"

    def add(self, record: CallLog) -> None:
        """Count what one app took, or what was sent for many together."""
        self.sent += record.attempts
        self.retried += record.repeats
        self.by_status.update(record.results)

    def plus(self, record: CallLog) -> Requests:
        """Give these together with what is not counted yet."""
        both = Requests(self.sent, self.retried, self.by_status.copy())
        both.add(record)
        return both

    def to_dict(self) -> dict[str, object]:
        """Give them as JSON has them."""
        by_status = dict(sorted(self.by_status.items()))
        return {"sent": self.sent, "retried": self.retried, "by_status": by_status}


class Report(Sequence[Outcome[T_co]], Generic[T_co]):
    """A sequence of outcomes in the order of the input, exactly one for each distinct app.

    `action` and `target` say what was asked of which API. `complete` is false where the input was
    itself a stream that was not read to its end, `stopped` says why the run ended early, if it did.
    A `predicted` report is of a run that did not happen: its outcomes are what is to be expected.
    """

    def __init__(
        self,
        outcomes: Iterable[Outcome[T_co]],
        *,
        action: str,
        target: str,
        started_at: datetime,
        finished_at: datetime,
        requests: Requests | None = None,
        complete: bool = True,
        predicted: bool = False,
        stopped: str | None = None,
    ) -> None:
        self._outcomes = tuple(outcomes)
        self.action = action
        self.target = target
        self.started_at = started_at
        self.finished_at = finished_at
        self.requests = requests if requests is not None else Requests()
        self.complete = complete
        self.predicted = predicted
        self.stopped = stopped

    def __len__(self) -> int:
        return len(self._outcomes)

    @overload
    def __getitem__(self, index: int) -> Outcome[T_co]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Outcome[T_co]]: ...
    def __getitem__(self, index: int | slice) -> Outcome[T_co] | Sequence[Outcome[T_co]]:
        return self._outcomes[index]

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{n} {name}" for name, n in self.counts.items() if n and name != "total"
        )
        return f"<Report of {self.title}: {counts or 'no apps'}>"

    @property
    def title(self) -> str:
        """What was asked, and whether that was only a prediction."""
        return f"{self.action} (predicted)" if self.predicted else self.action

    @property
    def ok(self) -> bool:
        """Whether every app is as asked, and the whole input was read."""
        return self.complete and all(outcome.as_asked for outcome in self._outcomes)

    @property
    def failed(self) -> Sequence[Outcome[T_co]]:
        """The outcomes of all apps that are not known to be as asked."""
        return tuple(outcome for outcome in self._outcomes if not outcome.as_asked)

    @property
    def counts(self) -> dict[str, int]:
        """How many apps ended how, by the name of the status, and their `total`."""
        counted = Counter(outcome.status for outcome in self._outcomes)
        return {"total": len(self)} | {status.value: counted[status] for status in Status}

    @property
    def seconds(self) -> float:
        """How long the run took; never less than 0, even if the clock was set back."""
        return max((self.finished_at - self.started_at).total_seconds(), 0.0)

    @property
    def timings(self) -> dict[str, dict[str, float]]:
        """Percentiles, in seconds, of how long acceptance and coming up took; empty if not seen."""
        return timings(self._outcomes)

    def timeline(self) -> list[Moments]:
        """Give for each app when it was asked, was accepted and came up."""
        return [moments_of(outcome, self.started_at) for outcome in self._outcomes]

    def throughput(self, step: float = 1.0) -> list[Step]:
        """Count what was asked, was accepted and came up in each step of so many seconds.

        Raises InvalidInputError if the step is not above 0.
        """
        return throughput(self.timeline(), step)

    def compare(self, other: Report[object]) -> Comparison:
        """Compare this report with a later one, or with one of another platform."""
        return Comparison(self, other)

    def failed_keys(self) -> list[str]:
        """Give the GUIDs of all apps that are not as asked: the input of the next run."""
        return [outcome.key for outcome in self.failed]

    def raise_for_failures(self) -> None:
        """Raise an ExceptionGroup of the errors of all apps that are not known to be as asked."""
        if errors := [_error_of(outcome) for outcome in self.failed]:
            raise ExceptionGroup(f"{len(errors)} of {len(self)} apps are not as asked", errors)

    def to_dict(self) -> dict[str, object]:
        """Give the report as JSON has it."""
        return self._head() | {"outcomes": [encode_outcome(o) for o in self._outcomes]}

    def _head(self) -> dict[str, object]:
        head: dict[str, object] = {
            "schema": SCHEMA,
            "action": self.action,
            "target": self.target,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "counts": self.counts,
            "requests": self.requests.to_dict(),
            "timings": self.timings,
        }
        timeline = self.timeline()
        if (step := step_for(timeline)) is not None:
            steps = throughput(timeline, step)
            columns = {name: [getattr(one, name) for one in steps] for name in COUNTED}
            head["throughput"] = {"step_s": step, **columns}
        if not self.complete:
            head["complete"] = False
        if self.predicted:
            head["dry_run"] = True
        if self.stopped is not None:
            head["stopped"] = self.stopped
        return head

    def to_json(self, *, indent: int | None = None) -> str:
        """Give the report as one JSON document."""
        return _dumps(self.to_dict(), indent)

    def to_jsonl(self) -> str:
        """Give the report as JSON Lines: all but the outcomes first, then an outcome a line."""
        records = [self._head(), *(encode_outcome(o) for o in self._outcomes)]
        return "".join(_dumps(record) + "\n" for record in records)

    def write(self, path: str | Path) -> None:
        """Write the report to a file, as its suffix says.

        ``.json``, ``.jsonl``, ``.csv``, ``.xml`` (JUnit's), ``.html`` (needs jinja2) or ``.md``.
        The file is there whole or not at all. Raises InvalidInputError for another suffix, OSError
        if it cannot be written.
        """
        write_report(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Report[object]:
        """Read a report that was written as ``.json`` or ``.jsonl``.

        Errors come back as the classes that they were; values do not. Raises InvalidInputError if
        the file is no report, OSError if it cannot be read.
        """
        path = Path(path)
        if path.suffix not in LOADABLE:
            raise InvalidInputError(f"{path}: only {' and '.join(LOADABLE)} reports can be read.")
        data = path.read_bytes()
        try:
            record = decode_lines(data) if path.suffix == ".jsonl" else decode_report(data)
        except ValueError as cause:
            raise InvalidInputError(f"{path} is not a report: {cause}") from None
        return Report(
            record.results(),
            action=record.action,
            target=record.target,
            started_at=record.started_at,
            finished_at=record.finished_at,
            requests=Requests(
                record.requests.sent, record.requests.retried, Counter(record.requests.by_status)
            ),
            complete=record.complete,
            predicted=record.dry_run,
            stopped=record.stopped,
        )


def _error_of(outcome: Outcome[T_co]) -> AppsApiError:
    if outcome.error is not None:
        return outcome.error
    return NotAttemptedError(f"{outcome.name or outcome.key}: {outcome.status}")


def _dumps(document: object, indent: int | None = None) -> str:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    # Half a character, from arguments that were no UTF-8, can neither be written nor read.
    return _SURROGATE.sub(lambda match: rf"\\u{ord(match[0]):04x}", text)
