"""The goals of speed, and by how much the figures of a run reach or miss them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Goal(NamedTuple):
    """A figure that is to be at most, or with `at_least` at least, so much.

    `where` leads to the figure: the benchmark, and the keys in what it printed.
    """

    name: str
    value: float
    where: tuple[str, ...]
    at_least: bool = False

    def line(self, found: float | None) -> str:
        """Return its line of the table."""
        sign = "≥" if self.at_least else "≤"
        if found is None:
            return f"| {self.name} | {sign} {self.value:g} | not measured | |"
        off = (found - self.value) / self.value * (-1 if self.at_least else 1)
        verdict = "reached" if off <= 0 else f"missed by {off:.1%}"
        return f"| {self.name} | {sign} {self.value:g} | {found:g} | {verdict} |"


_PER_CALL: Final = "Instructions x a bare aiohttp loop: "
GOALS: Final = (
    Goal(f"{_PER_CALL}`apps.start`", 1.05, ("instructions", "start", "x raw")),
    Goal(f"{_PER_CALL}`bulk.start(skip_unchanged=False)`", 1.15, ("instructions", "bulk", "x raw")),
    Goal(f"{_PER_CALL}`bulk.start`", 1.30, ("instructions", "bulk_default", "x raw")),
    Goal(f"{_PER_CALL}with a journal", 1.55, ("instructions", "bulk_journal", "x raw")),
    Goal(
        "CPU time of `bulk.start(skip_unchanged=False)` x the loop",
        1.4,
        ("calls", "bulk", "CPU x raw"),
    ),
    *(
        Goal(
            f"Decoding {size} x orjson", value, ("decode", "x orjson", "ours", size), at_least=True
        )
        for size, value in (("0.1 MB", 1.5), ("2 MB", 2.2), ("10 MB", 3.0))
    ),
    Goal(
        "A page of 12.7 MB blocks the loop, ms of CPU time",
        10,
        ("decode", "longest turn of the loop for 12.7 MB, CPU ms"),
    ),
    Goal("10,000 outcomes with values, MB", 40, ("memory", "MB", "10,000 kept with values")),
    Goal("10,000 outcomes without values, MB", 15, ("memory", "MB", "10,000 kept without values")),
    Goal(
        "100,000 streamed with `keep=False`, MB",
        25,
        ("memory", "MB", "100,000 streamed with keep=False"),
    ),
    *(
        Goal(
            f"Requests per verified start, {apps} apps",
            value,
            ("waiting", "figures", f"requests per app, {apps} apps"),
        )
        for apps, value in ((100, 1.10), (1_000, 1.05), (10_000, 1.03))
    ),
)


def goals(results: Mapping[str, Any]) -> str:
    """Return the table of all goals, for the figures of a run by benchmark."""
    lines = ["| | goal | found | |", "|---|---|---|---|"]
    lines += [goal.line(_find(results, goal.where)) for goal in GOALS]
    return "\n".join(lines)


def _find(results: Any, where: tuple[str, ...]) -> float | None:
    for key in where:
        if not isinstance(results, dict) or key not in results:
            return None
        results = results[key]
    return float(results)
