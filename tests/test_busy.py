"""Progress before the number of apps is known."""

from __future__ import annotations

import io

import anyio
import pytest
from rich.console import Console

from aioappsapi.cli import busy as module
from aioappsapi.cli.busy import busy
from tests.fakes import virtual


@pytest.fixture(params=[True, False], ids=["terminal", "log"])
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is shown on a terminal, and in a log."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=request.param, width=80, soft_wrap=True)
    monkeypatch.setattr(module, "err", console)
    return file


@virtual
async def test_a_log_gets_a_line_every_ten_seconds(shown: io.StringIO) -> None:
    with busy("reading [red]states"):
        await anyio.sleep(35)
    await anyio.sleep(35)
    text = shown.getvalue()
    assert "reading [red]states" in text, "names are no markup"
    if "\x1b" not in text:
        assert text.splitlines() == ["still reading [red]states"] * 3


@virtual
async def test_short_and_quiet_work_leaves_nothing_in_a_log(shown: io.StringIO) -> None:
    with busy("reading", shown=False):
        await anyio.sleep(60)
    assert shown.getvalue() == ""
