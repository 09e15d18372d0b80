"""What maintenance windows take, and what is left undone or done twice when they are killed.

A snapshot of 2,000 apps in 40 spaces, of which 700 were stopped; all are stopped, and a restore in
waves is killed with SIGKILL half way and resumed. A rolling restart of 300 apps. A restage of 200
apps of which one in twenty has a build that fails, killed and resumed twice. The sandbox knows what
was really done; the exit status is 1 if a bound is passed. `--quick` uses a quarter of the apps.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

from tests.fakes import run_virtual
from tests.windows import play_killed_restage, play_killed_window, play_rolling_restart

Figures = dict[str, float]


def killed_window(share: int) -> Figures:
    """Stop 2,000 apps and bring them back, killed in the middle."""
    with tempfile.TemporaryDirectory() as folder:
        return play_killed_window(
            2_000 // share, spaces=40 // share, stopped=700 // share, tiers=4, folder=Path(folder)
        )


def rolling_restart(share: int) -> Figures:
    """Restart 300 apps by deployments."""
    figures: Figures = {}

    async def play() -> None:
        figures.update(await play_rolling_restart(300 // share, large=100 // share))

    run_virtual(play())
    return figures


def killed_restage(share: int) -> Figures:
    """Restage 200 apps, killed twice."""
    figures: Figures = {}

    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            figures.update(
                await play_killed_restage(
                    200 // share, moments=(3.0, 12.0), folder=Path(folder), monkeypatch=patch
                )
            )

    run_virtual(play())
    return figures


def main(words: list[str]) -> int:
    """Play all windows, print their figures, and return the exit status."""
    share = 4 if "--quick" in words else 1
    try:
        figures = {
            "restore, killed and resumed": killed_window(share),
            "rolling restart": rolling_restart(share),
            "restage, killed and resumed twice": killed_restage(share),
        }
    except AssertionError as passed:
        print(f"a bound was passed: {passed}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2))
    return int(figures["rolling restart"]["requests per app"] > 3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
