"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.timing import labels


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An app whose status differs; the status is None if a run did not have the app."""

    key: str
    name: str | None
    before: Status | None
    after: Status | None


class Pair(msgspec.Struct, frozen=True):
    """One figure of both runs; None if a run does not have it."""

    before: float | None
    after: float | None

    @property
    def ratio(self) -> float | None:
        """The later figure divided by the earlier figure; None if that is meaningless."""
        if self.before is None or self.after is None or not self.before:
            return None
        return round(self.after / self.before, 3)

    def to_dict(self) -> dict[str, float | None]:
        """Return the JSON form."""
        return {"before": self.before, "after": self.after, "ratio": self.ratio}


class Comparison:
    """The difference between two reports; `str()` of it is for people, `to_dict` for programs.

    `changed` has the apps of both runs whose status differs, `only_before` and `only_after` the
    apps of one run. Everything else is a pair of figures: `counts` by status, `timings` in seconds
    by name and percentile, `requests_per_app`, and `apps_per_second` for which a request was sent.
    """

    def __init__(self, before: ReportData[object], after: ReportData[object]) -> None:
        self.before = before
        self.after = after
        old, new = ({outcome.key: outcome for outcome in report} for report in (before, after))
        self.changed = [
            change for key in old if key in new if (change := _change(old[key], new[key]))
        ]
        self.only_before = [_removed(one) for key, one in old.items() if key not in new]
        self.only_after = [_added(one) for key, one in new.items() if key not in old]
        self.counts = {
            name: Pair(count, after.counts[name]) for name, count in before.counts.items()
        }
        self.timings = _timings(before, after)
        self.requests_per_app = Pair(_requests_per_app(before), _requests_per_app(after))
        self.apps_per_second = Pair(_apps_per_second(before), _apps_per_second(after))

    @property
    def worse(self) -> list[Change]:
        """The apps that were in the requested state only before."""
        return [one for one in self.changed if _is_done(one.before) and not _is_done(one.after)]

    @property
    def better(self) -> list[Change]:
        """The apps that are in the requested state only afterwards."""
        return [one for one in self.changed if _is_done(one.after) and not _is_done(one.before)]

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "before": _about(self.before),
            "after": _about(self.after),
            "counts": {name: pair.to_dict() for name, pair in self.counts.items()},
            "changed": msgspec.to_builtins(self.changed),
            "only_before": msgspec.to_builtins(self.only_before),
            "only_after": msgspec.to_builtins(self.only_after),
            "timings": {
                name: {rank: pair.to_dict() for rank, pair in ranks.items()}
                for name, ranks in self.timings.items()
            },
            "requests_per_app": self.requests_per_app.to_dict(),
            "apps_per_second": self.apps_per_second.to_dict(),
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Yield lines for people: one figure or one app per line."""
        yield f"before  {_title(self.before)}"
        yield f"after   {_title(self.after)}"
        for name, pair in self.counts.items():
            if pair.before or pair.after:
                yield _figure(name, pair, ".0f")
        names = labels(self.before.action, self.after.action)
        for name, ranks in self.timings.items():
            for rank, pair in ranks.items():
                yield _figure(f"seconds until {names[name]}, {rank}", pair, ".3f")
        yield _figure("requests per app", self.requests_per_app, ".2f")
        yield _figure("apps per second", self.apps_per_second, ".1f")
        for change in [*self.changed, *self.only_before, *self.only_after]:
            who = f"{change.name} ({change.key})" if change.name else change.key
            yield printable(f"{change.before or 'absent'} -> {change.after or 'absent'}: {who}")


def _is_done(status: Status | None) -> bool:
    return status is not None and status.done


def _change(old: Outcome[object], new: Outcome[object]) -> Change | None:
    if old.status is new.status:
        return None
    name = new.name or old.name
    return Change(key=new.key, name=name, before=old.status, after=new.status)


def _removed(old: Outcome[object]) -> Change:
    return Change(key=old.key, name=old.name, before=old.status, after=None)


def _added(new: Outcome[object]) -> Change:
    return Change(key=new.key, name=new.name, before=None, after=new.status)


def _timings(before: ReportData[object], after: ReportData[object]) -> dict[str, dict[str, Pair]]:
    old, new = before.timings, after.timings
    return {
        name: {
            rank: Pair(old[name].get(rank), new[name].get(rank)) for rank in old[name] or new[name]
        }
        for name in old
    }


def _requests_per_app(report: ReportData[object]) -> float | None:
    return round(report.requests.sent / len(report), 4) if len(report) else None


def _apps_per_second(report: ReportData[object]) -> float | None:
    asked = sum(outcome.started_at is not None for outcome in report)
    return round(asked / report.seconds, 4) if report.seconds > 0 else None


def _about(report: ReportData[object]) -> dict[str, object]:
    return {
        "action": report.action,
        "target": report.target,
        "started_at": report.started_at.isoformat(),
        "seconds": report.seconds,
    }


def _title(report: ReportData[object]) -> str:
    return printable(
        f"{report.action} at {report.place}, {report.started_at:%Y-%m-%d %H:%M:%S %Z}, "
        f"{report.seconds:.1f} s"
    )


def _figure(name: str, pair: Pair, form: str) -> str:
    old, new = (
        "-" if value is None else format(value, form) for value in (pair.before, pair.after)
    )
    times = f"  x {pair.ratio:.2f}" if pair.ratio is not None else ""
    return f"  {name:<38}{old:>10} -> {new:>10}{times}"
