"""The report of a bulk run: one outcome per app, with requests and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Never, TypeVar

from aioappsapi.bulk.reports.compare import Comparison
from aioappsapi.bulk.reports.merge import merge
from aioappsapi.bulk.reports.outcome import Outcome, T_co
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.report_json import (
    ReportRecord,
    decode_lines,
    decode_report,
    json_document,
    json_lines,
    report_dict,
)
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.text import counted
from aioappsapi.bulk.reports.writers import write_report
from aioappsapi.bulk.reports.writers.notebook import as_notebook
from aioappsapi.errors import AppsApiError, InvalidInputError, NotAttemptedError

U = TypeVar("U")

# The formats that keep everything. The others are for people and their tools.
LOADABLE: Final = (".json", ".jsonl")


class Report(ReportData[T_co]):
    """The report of a bulk run: a sequence of outcomes in input order, one per distinct app.

    `action` is the action of the run, and `target` its API; `target` is None in a merged report of
    several APIs, which `targets` lists. `complete` is false if the input was a stream
    that was not read to its end. `stopped` says why the run ended early, if it did. `predicted`
    reports come from a dry run: their outcomes are expected, not observed. `options` are those of
    the run, `version` is the version of this library that made the report. `pauses` and `limits`
    show when the server held the run back. `target_errors` says by target why it could not be used,
    or why its run could not go on.
    """

    def __add__(self, other: Report[U]) -> Report[T_co | U]:
        return merge([self, other], Report[T_co | U])

    def _repr_html_(self) -> str:
        return as_notebook(self)

    @classmethod
    def merge(cls, reports: Iterable[Report[T_co]]) -> Report[T_co]:
        """Merge reports of one action into one: counts, requests and timings add up exactly.

        Percentiles are computed again from all outcomes. If targets differ, `target` is None and
        each outcome has its own. Raises InvalidInputError for different actions, for the
        same app of the same target twice, and for no report at all.
        """
        return merge(list(reports), Report[T_co])

    def raise_for_failures(self) -> None:
        """Raise an ExceptionGroup with one error for each of the `remaining` apps, if any.

        The `target_errors` of a run over several foundations come first.
        """
        remaining = [_error_of(outcome) for outcome in self.remaining]
        if errors := [*self.target_errors.values(), *remaining]:
            verb = "is" if len(remaining) == 1 else "are"
            what = f"{len(remaining):,} of {counted(len(self), 'app')} {verb} not in the requested"
            unusable = counted(len(self.target_errors), "target")
            more = f", and {unusable} could not be used" if self.target_errors else ""
            raise ExceptionGroup(f"{what} state{more}", errors)

    def compare(self, other: ReportData[object]) -> Comparison:
        """Compare this report with a later one, or with one of another platform."""
        return Comparison(self, other)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form as builtin types."""
        return report_dict(self)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the report as one JSON document."""
        return json_document(self, indent)

    def to_jsonl(self) -> str:
        """Return the report as JSON Lines: first the report without outcomes, then one per line."""
        return "".join(json_lines(self))

    def write(self, path: str | Path) -> None:
        """Write the report to a file, in the format of its suffix.

        ``.json``, ``.jsonl``, ``.csv``, ``.xml`` (JUnit), ``.html`` (needs jinja2) or ``.md``.
        The file is written whole or not at all. Raises InvalidInputError for another suffix,
        OSError if the file cannot be written.
        """
        write_report(self, Path(path))

    @classmethod
    def from_json(cls, data: bytes) -> Report[Never]:
        """Read what `to_json` returned; values do not come back. Raises ValueError."""
        return _loaded(decode_report(data))

    @classmethod
    def load(cls, path: str | Path) -> Report[Never]:
        """Read a report that was written as ``.json`` or ``.jsonl``.

        Errors come back with their classes; values do not come back. Raises InvalidInputError if
        the file is not a report, OSError if it cannot be read.
        """
        path = Path(path)
        if path.suffix not in LOADABLE:
            raise InvalidInputError(f"{path}: only {' and '.join(LOADABLE)} reports can be read.")
        data = path.read_bytes()
        try:
            record = decode_lines(data) if path.suffix == ".jsonl" else decode_report(data)
        except ValueError as cause:
            raise InvalidInputError(f"{path} is not a report: {cause}") from None
        return _loaded(record)


def _loaded(record: ReportRecord) -> Report[Never]:
    requests = record.requests
    return Report(
        [one.outcome() for one in record.outcomes],
        action=record.action,
        target=record.target,
        started_at=record.started_at,
        finished_at=record.finished_at,
        requests=Requests(requests.sent, requests.retried, Counter(requests.by_status)),
        complete=record.complete is not False,
        predicted=record.dry_run is True,
        stopped=record.stopped or None,
        options=record.options or None,
        version=record.version or None,
        pauses=record.pauses or (),
        limits=record.limits or (),
        targets=record.targets or (),
        target_errors={at: error.error() for at, error in (record.target_errors or {}).items()},
    )


def _error_of(outcome: Outcome[object]) -> AppsApiError:
    if outcome.error is not None:
        return outcome.error
    return NotAttemptedError(f"{outcome.label}: {outcome.status.label}")
