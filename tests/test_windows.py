"""Whole maintenance windows, with processes that are killed during them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import virtual
from tests.windows import play_killed_restage, play_killed_window, play_rolling_restart


def test_a_restore_that_is_killed_and_resumed_ends_at_the_snapshot(tmp_path: Path) -> None:
    play_killed_window(60, spaces=8, stopped=20, tiers=2, folder=tmp_path)


@virtual
async def test_a_rolling_restart_takes_few_requests_and_the_apps_always_run() -> None:
    figures = await play_rolling_restart(60, large=20)
    assert figures["requests per app"] <= 3


@virtual
async def test_a_restage_that_is_killed_twice_builds_and_restarts_no_app_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = await play_killed_restage(
        60, moments=(3.0, 12.0), folder=tmp_path, monkeypatch=monkeypatch
    )
    assert figures["unverified after the kills"] <= 2 * 6
