"""Run all benchmarks one after the other, and write `RESULTS.md` from what they print.

`python -m benchmarks [--quick]`. With `--quick` only those run that end within seconds. The exit
status is 1 if a benchmark passed one of its bounds.
"""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
# The quick ones first.
QUICK: Final[dict[str, tuple[str, ...]]] = {
    "start_up": (),
    "decode": ("--quick",),
    "memory": ("--quick",),
}
ALL: Final[dict[str, tuple[str, ...]]] = {
    "instructions": (),
    "start_up": (),
    "decode": (),
    "memory": (),
    "bulk_start": (),
    "sandbox_speed": (),
    "limiter": (),
    "faults": (),
    "waiting": (),
    "report_page": (),
    "telemetry": (),
    "fleets": (),
}


def question(name: str) -> str:
    """Return the first line of a benchmark's text, which is its question."""
    spec = importlib.util.find_spec(f"benchmarks.{name}")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text().split("\n", 1)[0].strip('"')


def run(name: str, words: tuple[str, ...]) -> tuple[str, bool]:
    """Run a benchmark, and return its part of the results and whether it kept its bounds."""
    print(f"{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout.strip() or done.stderr.strip()
    shown = said if said.startswith("|") else f"```json\n{said}\n```"
    verdict = "" if done.returncode == 0 else "\nA bound was passed.\n"
    text = f"## {name}\n\n{question(name)}\n{verdict}\n{shown}\n"
    return text, done.returncode == 0


def main(words: list[str]) -> int:
    """Run them, write the file, and return the exit status."""
    chosen = QUICK if "--quick" in words else ALL
    parts = [run(name, options) for name, options in chosen.items()]
    head = (
        "# Results\n\n"
        f"Written by `python -m benchmarks{''.join(f' {word}' for word in words)}` on "
        f"{datetime.now(UTC):%Y-%m-%d}, with Python {platform.python_version()}. Instructions and "
        "requests are repeatable; times and memory depend on the machine, so compare ratios.\n\n"
    )
    RESULTS.write_text(head + "\n".join(text for text, _ in parts))
    return int(not all(kept for _, kept in parts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
