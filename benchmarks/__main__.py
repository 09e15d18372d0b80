"""Run all benchmarks, and write `RESULTS.md`, `results.json` and the plots from one run.

`python -m benchmarks [--quick]`. With `--quick` only those run that end within a minute together,
and nothing is written.
Those that measure time run one after the other; those that count run beside each other after them.
The exit status is 1 if a benchmark passed one of its bounds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.goals import goals
from benchmarks.plots import draw

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
DATA: Final = RESULTS.with_name("results.json")

Plan = tuple[str, ...]  # the name of a benchmark and its options
QUICK: Final[tuple[Plan, ...]] = (
    ("start_up",),
    ("decode", "--quick"),
    ("memory", "--quick"),
    ("calls", "--quick"),
)
TIMED: Final[tuple[Plan, ...]] = (
    ("calls",),
    ("decode",),
    ("memory",),
    ("start_up",),
    ("bulk_start",),
    ("sandbox_speed",),
    ("report_page",),
    ("fleets",),
    ("large_runs",),
)
# They count, or have a virtual clock, or wait for most of their time.
COUNTED: Final[tuple[tuple[Plan, ...], ...]] = (
    (("instructions",), ("telemetry", "bulk"), ("windows",)),
    (("faults", "--seeds", "3"), ("waiting",), ("limiter", "--seeds", "2", "--json")),
)


_MOST_COLUMNS: Final = 10


class Done:
    """What a benchmark printed, and whether it kept its bounds."""

    def __init__(self, plan: Plan) -> None:
        self.name = plan[0]
        print(" ".join(plan), "…", file=sys.stderr, flush=True)
        begun = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{self.name}", *plan[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.seconds = round(time.monotonic() - begun)
        self.kept = done.returncode == 0
        self.said = done.stdout.strip() or done.stderr.strip()
        try:
            self.figures: Any = json.loads(self.said)
        except ValueError:
            self.figures = self.said

    def text(self) -> str:
        """Return its part of the results."""
        if isinstance(self.figures, str):
            shown = self.said if self.said.startswith("|") else f"```text\n{self.said}\n```"
        else:
            shown = rendered(self.figures)
        verdict = "" if self.kept else "\nA bound was passed.\n"
        return f"## {self.name}\n\n{question(self.name)}\n{verdict}\n{shown}\n"


def question(name: str) -> str:
    """Return the first line of a benchmark's text, which is its question."""
    spec = importlib.util.find_spec(f"benchmarks.{name}")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text().split("\n", 1)[0].strip('"')


def rendered(figures: Mapping[str, Any]) -> str:
    """Make lists and tables of figures: rows of figures become a table, deeper ones get a title."""
    single = {name: one for name, one in figures.items() if not isinstance(one, dict)}
    rows = {name: one for name, one in figures.items() if isinstance(one, dict)}
    deep = {
        name: one for name, one in rows.items() if any(isinstance(v, dict) for v in one.values())
    }
    flat = {name: one for name, one in rows.items() if one and name not in deep}
    parts = ["\n".join(f"- {name}: {one}" for name, one in single.items())]
    parts += [_table(flat)] if flat else []
    parts += [f"**{name}**\n\n{rendered(one)}" for name, one in deep.items()]
    return "\n\n".join(part for part in parts if part)


def _table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Make a table whose columns are the figures; of many figures, one with a line for each."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    if len(columns) > _MOST_COLUMNS and len(rows) < len(columns):
        swapped = {one: {name: row.get(one, "") for name, row in rows.items()} for one in columns}
        return _table(swapped)
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, row in rows.items():
        cells = " | ".join(str(row.get(column, "")) for column in columns)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def in_order(plans: tuple[Plan, ...]) -> list[Done]:
    return [Done(plan) for plan in plans]


def _head(words: list[str], seconds: float) -> str:
    return (
        "# Results\n\n"
        f"Written by `python -m benchmarks{''.join(f' {word}' for word in words)}` on "
        f"{datetime.now(UTC):%Y-%m-%d} in {seconds:.0f} s, with Python "
        f"{platform.python_version()} on {os.cpu_count()} cores whose load was "
        f"{os.getloadavg()[1]:.1f}. Instructions and requests are repeatable; times and memory "
        "depend on the machine and on its load, so compare ratios.\n\n"
    )


def main(words: list[str]) -> int:
    """Run them, write the files, and return the exit status."""
    begun = time.monotonic()
    quick = "--quick" in words
    done = in_order(QUICK if quick else TIMED)
    if not quick:
        with ThreadPoolExecutor(len(COUNTED)) as lanes:
            done = [one for lane in lanes.map(in_order, COUNTED) for one in lane] + done
    found = {one.name: one.figures for one in done}
    text = f"{_head(words, time.monotonic() - begun)}## Goals\n\n{goals(found)}\n\n"
    text += "\n".join(one.text() for one in done)
    if quick:
        print(text)
        return int(not all(one.kept for one in done))
    RESULTS.write_text(text)
    figures = {one.name: {"figures": one.figures, "kept": one.kept} for one in done}
    DATA.write_text(json.dumps(figures, indent=1) + "\n")
    draw(found)
    for one in done:
        print(f"{one.name}: {one.seconds} s{'' if one.kept else ', a bound was passed'}")
    return int(not all(one.kept for one in done))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
