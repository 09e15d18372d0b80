"""The data of a report: its outcomes, and all numbers that are computed from them.

`Report` adds files, comparisons and merging. They need only this part, so that imports go one way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Generic, Self, overload

from aioappsapi._version import __version__
from aioappsapi.bulk.reports.outcome import Outcome, Status, T_co
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.rows import row_of
from aioappsapi.bulk.reports.text import counted, printable
from aioappsapi.bulk.reports.timing import (
    LimitLevel,
    Moments,
    PauseSpan,
    Step,
    moments_of,
    throughput,
    timings,
)
from aioappsapi.errors import AppsApiError


class ReportData(Sequence[Outcome[T_co]], Generic[T_co]):
    """The outcomes of a run in the order of its input, and the numbers computed from them."""

    def __init__(
        self,
        outcomes: Iterable[Outcome[T_co]],
        *,
        action: str,
        target: str | None,
        started_at: datetime,
        finished_at: datetime,
        requests: Requests | None = None,
        complete: bool = True,
        predicted: bool = False,
        stopped: str | None = None,
        options: Mapping[str, object] | None = None,
        version: str | None = __version__,
        pauses: Sequence[PauseSpan] = (),
        limits: Sequence[LimitLevel] = (),
        targets: Sequence[str] = (),
        target_errors: Mapping[str, AppsApiError] | None = None,
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
        self.options = dict(options or {})
        self.version = version
        self.pauses = tuple(pauses)
        self.limits = tuple(limits)
        self._targets = tuple(targets)
        self.target_errors = dict(target_errors or {})

    def with_outcomes(self, outcomes: Iterable[Outcome[T_co]]) -> Self:
        """Return this report with other outcomes of the same apps."""
        made = copy(self)
        made._outcomes = tuple(outcomes)  # noqa: SLF001
        return made

    def __len__(self) -> int:
        return len(self._outcomes)

    @overload
    def __getitem__(self, index: int) -> Outcome[T_co]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Outcome[T_co]]: ...
    def __getitem__(self, index: int | slice) -> Outcome[T_co] | Sequence[Outcome[T_co]]:
        return self._outcomes[index]

    def __iter__(self) -> Iterator[Outcome[T_co]]:
        return iter(self._outcomes)

    def __repr__(self) -> str:
        name = printable(self.title)
        return f"<{type(self).__name__} of {name}: {self.summary or 'no apps'}>"

    @property
    def title(self) -> str:
        """The action, and whether the report is only a prediction."""
        return f"{self.action} (predicted)" if self.predicted else self.action

    @property
    def summary(self) -> str:
        """The counts in words, e.g. ``48 ok, 2 failed``; empty if there are no apps."""
        counts = self.counts
        return ", ".join(f"{counts[one]:,} {one.label}" for one in Status if counts[one])

    @property
    def targets(self) -> list[str]:
        """The addresses of the APIs that the run worked at; several only in a merged report."""
        if self.target is not None:
            return [self.target]
        of_apps = (one.target for one in self._outcomes if one.target is not None)
        return list(dict.fromkeys([*self._targets, *of_apps]))

    @property
    def place(self) -> str:
        """The target in words: its address, or the number of targets."""
        return self.target if self.target is not None else counted(len(self.targets), "target")

    @property
    def ok(self) -> bool:
        """Whether every app is in the requested state, and every target and input was read."""
        every = all(outcome.done for outcome in self._outcomes)
        return every and self.complete and not self.target_errors

    @property
    def failed(self) -> Sequence[Outcome[T_co]]:
        """The outcomes whose status is `failed`. See `remaining` for all unfinished apps."""
        return tuple(one for one in self._outcomes if one.status is Status.FAILED)

    @property
    def remaining(self) -> Sequence[Outcome[T_co]]:
        """The outcomes of all apps that are not known to be in the requested state.

        They have any status but `ok` and `already`. They are the input of the next run:
        ``client.bulk.start(report)``.
        """
        return tuple(one for one in self._outcomes if not one.done)

    @property
    def counts(self) -> dict[str, int]:
        """The number of apps by the name of their status, and their `total`."""
        found = Counter(outcome.status for outcome in self._outcomes)
        return {"total": len(self)} | {status.value: found[status] for status in Status}

    @property
    def seconds(self) -> float:
        """The duration of the run; never below 0, even if the clock was set back."""
        return max((self.finished_at - self.started_at).total_seconds(), 0.0)

    @property
    def timings(self) -> dict[str, dict[str, float]]:
        """Percentiles, in seconds, of the time to acceptance, first instance and running."""
        return timings(self._outcomes)

    def timeline(self) -> list[Moments]:
        """Return the moments of each app: sent, accepted, first instance, all instances."""
        return [moments_of(outcome, self.started_at) for outcome in self._outcomes]

    def throughput(self, step: float = 1.0) -> list[Step]:
        """Count the apps that were sent, accepted and running in each step of `step` seconds.

        Raises InvalidInputError if `step` is not above 0.
        """
        return throughput(self.timeline(), step)

    def to_rows(self) -> list[dict[str, object]]:
        """Return one flat dict per app, e.g. for ``pandas.DataFrame(report.to_rows())``."""
        return [row_of(outcome, self.target) for outcome in self._outcomes]

    def failed_keys(self) -> list[str]:
        """Return the GUIDs of all `remaining` apps.

        GUIDs carry no doubt: pass the report itself to the next run, ``client.bulk.start(report)``,
        and apps that are `unverified` are verified rather than called `already`.
        """
        return [outcome.key for outcome in self.remaining]
