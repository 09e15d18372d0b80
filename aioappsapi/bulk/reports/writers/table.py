"""Tables for the pages: rows as JSON, which the page's script shows a window of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from aioappsapi.bulk.reports.causes import cause_of
from aioappsapi.bulk.reports.compare import Change
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.timing import Moments, accepted_after, goal_of

Cell = str | int | float | list[str] | None

# The order of the table: statuses that need attention come first.
ATTENTION: Final = (
    Status.FAILED,
    Status.TIMED_OUT,
    Status.UNVERIFIED,
    Status.CANCELLED,
    Status.NOT_ATTEMPTED,
    Status.OK,
    Status.ALREADY,
)
_RANKS: Final = {status: rank for rank, status in enumerate(ATTENTION)}


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column of a table, as the script understands it.

    A cell of an ``app`` is its name and key; a cell of a ``value`` or ``status`` is an index into
    `values`. ``notes`` are shown only with the details of a row. `order` is the order of `values`.
    """

    id: str
    title: str
    kind: Literal["app", "status", "value", "number", "seconds", "notes"]
    help: str = ""
    values: list[str] = []
    labels: list[str] = []
    filter: str = ""


class Values:
    """The distinct texts of a column, each with the index by which the rows name it."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._index = {text: at for at, text in enumerate(texts)}

    def __len__(self) -> int:
        return len(self._index)

    def index(self, text: str) -> int:
        """Return the index of a text, a new one if it is new."""
        return self._index.setdefault(text, len(self._index))

    @property
    def texts(self) -> list[str]:
        """All texts, by their index."""
        return [printable(text) for text in self._index]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table: its columns, and an iterator of its rows."""

    noun: str
    columns: list[Column]
    rows: Iterator[list[Cell]]

    def chunks(self) -> Iterator[str]:
        """Yield the table as JSON that is safe within a script element, row by row."""
        head = {"noun": self.noun, "columns": self.columns}
        yield _safe(head)[:-1] + ',"rows":[\n'
        comma = ""
        for row in self.rows:
            yield comma + _safe(row)
            comma = ",\n"
        yield "]}"


def _safe(value: object) -> str:
    """Encode JSON that cannot end or begin an HTML element."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")


# -- the apps of a report

CellOf = Callable[[Outcome[object], Moments], Cell]


class AppTable:
    """The table of a report's apps. `reasons` has the index of each cause."""

    def __init__(self, report: ReportData[object], timeline: Sequence[Moments]) -> None:
        self._report = report
        self._timeline = timeline
        self.reasons = Values([""])
        for outcome in report:
            self.reasons.index(cause_of(outcome))
        self._columns = [
            *self._first_columns(),
            *(pair for pair in self._place_columns() if len(pair[0].values) > 1),
            *(
                pair
                for pair in _measured_columns(goal_of(report.action))
                if self._has_values(pair[1])
            ),
            (Column(id="notes", title="Notes", kind="notes"), lambda one, _: _notes(one)),
        ]

    @property
    def table(self) -> Table:
        """The table, for one use."""
        columns = [column for column, _ in self._columns]
        return Table(noun="app", columns=columns, rows=self._rows())

    def _rows(self) -> Iterator[list[Cell]]:
        cells = [cell for _, cell in self._columns]
        for outcome, moments in zip(self._report, self._timeline, strict=True):
            yield [cell(outcome, moments) for cell in cells]

    def _has_values(self, cell: CellOf) -> bool:
        pairs = zip(self._report, self._timeline, strict=True)
        return any(cell(*pair) is not None for pair in pairs)

    def _first_columns(self) -> list[tuple[Column, CellOf]]:
        reason = Column(
            id="reason",
            title="Reason",
            kind="value",
            values=self.reasons.texts,
            filter="any reason",
        )
        return [
            (
                Column(id="app", title="App", kind="app"),
                lambda one, _: [printable(one.name or ""), printable(one.key)],
            ),
            (status_column("status", "Status"), lambda one, _: _RANKS[one.status]),
            (reason, lambda one, _: self.reasons.index(cause_of(one))),
        ]

    def _place_columns(self) -> Iterator[tuple[Column, CellOf]]:
        yield self._place_column("organization", lambda one: one.organization)
        yield self._place_column("space", lambda one: one.space)
        yield self._place_column(
            "target", lambda one: (one.target or self._report.target or "").removeprefix("https://")
        )

    def _place_column(
        self, name: str, place: Callable[[Outcome[object]], str | None]
    ) -> tuple[Column, CellOf]:
        values = Values()
        for outcome in self._report:
            values.index(place(outcome) or "")
        column = Column(
            id=name,
            title=name.capitalize(),
            kind="value",
            values=values.texts,
            filter=f"any {name}",
        )
        return column, lambda one, _: values.index(place(one) or "")


def _measured_columns(goal: str) -> list[tuple[Column, CellOf]]:
    def seconds(id_: str, title: str, cell: CellOf) -> tuple[Column, CellOf]:
        """Make a column of seconds since the first request."""
        help_ = "Seconds since the first request"
        return Column(id=id_, title=title, kind="seconds", help=help_), cell

    return [
        (
            Column(id="wave", title="Wave", kind="number", filter="any wave"),
            lambda one, _: one.wave,
        ),
        (
            Column(id="attempts", title="Tries", kind="number", help="Requests sent for the app"),
            lambda one, _: one.attempts or None,
        ),
        (
            Column(id="asked", title="Asked", kind="seconds", help="Seconds since the run began"),
            lambda _, moments: _rounded(moments.asked),
        ),
        seconds("accepted", "Accepted", lambda one, _: _rounded(accepted_after(one))),
        seconds("first", "First instance", lambda one, _: _rounded(one.time_to_first_instance)),
        seconds("running", goal.capitalize(), lambda one, _: _rounded(one.time_to_running)),
        seconds("over", "Over", lambda one, _: _rounded(one.duration)),
    ]


def status_column(id_: str, title: str, *, absent: bool = False) -> Column:
    """Return a column of statuses, in the order of `ATTENTION`; `absent` adds a missing status."""
    extra = ["absent"] if absent else []
    return Column(
        id=id_,
        title=title,
        kind="status",
        values=[*(one.value for one in ATTENTION), *extra],
        labels=[*(one.label for one in ATTENTION), *extra],
        filter=f"any {title.lower()}",
    )


def _notes(outcome: Outcome[object]) -> list[str]:
    notes = [f"warning: {printable(one)}" for one in outcome.warnings]
    if not outcome.done:
        notes += [f"request {printable(one)}" for one in outcome.request_ids]
    return notes


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


# -- the changes of a comparison


def change_table(changes: Sequence[Change]) -> Table:
    """Return the table of the apps whose status differs between two runs."""
    return Table(
        noun="app",
        columns=[
            Column(id="app", title="App", kind="app"),
            status_column("before", "Before", absent=True),
            status_column("after", "After", absent=True),
        ],
        rows=(
            [
                [printable(one.name or ""), printable(one.key)],
                _rank(one.before),
                _rank(one.after),
            ]
            for one in changes
        ),
    )


def _rank(status: Status | None) -> int:
    return len(ATTENTION) if status is None else _RANKS[status]
