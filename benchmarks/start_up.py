"""What the command line costs before it does anything: CPU time of help, version and errors.

Each figure is the best of several fresh processes, user and system time together, because other
processes on the machine only ever add to it. Exits with 1 if a bound is passed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

RUNS = 7
# CPU seconds by what is typed. A wrong option is an answer for people, so it may cost as much.
BOUNDS = {
    "--version": 0.12,
    "--help": 0.25,
    "start --help": 0.25,
    "apps list --help": 0.25,
    "sandbox --help": 0.25,
}


def cpu_seconds(words: list[str]) -> float:
    """Run the command line in a fresh process and return the CPU time that it took."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "aioappsapi", *words], stdout=subprocess.DEVNULL, check=True
    )
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


def main() -> int:
    times = {typed: min(cpu_seconds(typed.split()) for _ in range(RUNS)) for typed in BOUNDS}
    print(json.dumps({"cpu_s": {typed: round(taken, 3) for typed, taken in times.items()}}))
    return int(any(taken > BOUNDS[typed] for typed, taken in times.items()))


if __name__ == "__main__":
    sys.exit(main())
