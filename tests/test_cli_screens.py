"""Whole screens as text, at several widths, in a pipe and without colour."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from aioappsapi import CrashedError, Outcome, Report, Status
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.cli import console
from aioappsapi.cli.progress import display
from aioappsapi.cli.summary import print_report
from tests.fakes import virtual
from tests.reports import REFUSED
from tests.test_progress import ARun

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Screen = Callable[[int], Console]


def ended(key: str, status: Status, name: str, error: Exception | None = None) -> Outcome[object]:
    return Outcome(  # type: ignore[return-value]
        key=key, status=status, name=name, space="prod", organization="acme", error=error
    )


def night() -> Report[object]:
    """A run in which three apps failed for two reasons."""
    why = "its instances crash (web: 1 CRASHED of 1): exit status 1"
    outcomes = [
        ended("a", Status.OK, "web"),
        ended("b", Status.FAILED, "worker", REFUSED),
        ended("c", Status.FAILED, "billing", CrashedError(f"start app c: {why}")),
        ended("d", Status.NOT_ATTEMPTED, "mail"),
        ended("e", Status.FAILED, "search", CrashedError(f"start app e: {why}")),
    ]
    return Report(
        outcomes,
        action="start",
        target="https://api.test",
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(seconds=3),
        requests=Requests(7, 1),
        stopped="3 apps failed, and max_failures=3 allows no more",
    )


def screen(columns: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=None, width=columns)


def shown(on: Console) -> list[str]:
    """The lines on a screen, without the spaces at their ends."""
    assert isinstance(on.file, io.StringIO)
    return [line.rstrip() for line in on.file.getvalue().splitlines()]


# -- the summary

HEAD = """\
start: 1 of 5 apps is in the requested state. 3 failed and 1 was not attempted.
  3.0 s, 7 requests sent, 1 of them retries
       1 ok
       3 failed
       1 not attempted
ended early: 3 apps failed, and --max-failures 3 allows no more
"""
AT_80 = """\
2 failed: its instances crash (web: 1 CRASHED of 1): exit status 1
    acme/prod/billing, acme/prod/search
    What to do: Read its logs (`cf logs APP --recent`) and events (`cf events
    APP`). The server accepted the request; the error is in the app itself.
1 failed: 422 CF-UnprocessableEntity: Assign a droplet before starting this app.
    acme/prod/worker
    What to do: Push or stage the app, or set one of its droplets. Then run
    again.
1 not attempted: no request was sent
    acme/prod/mail
    What to do: Run again with this report as input: only apps that are not done
    are sent.
"""
AT_200 = """\
2 failed: its instances crash (web: 1 CRASHED of 1): exit status 1
    acme/prod/billing, acme/prod/search
    What to do: Read its logs (`cf logs APP --recent`) and events (`cf events APP`). \
The server accepted the request; the error is in the app itself.
1 failed: 422 CF-UnprocessableEntity: Assign a droplet before starting this app.
    acme/prod/worker
    What to do: Push or stage the app, or set one of its droplets. Then run again.
1 not attempted: no request was sent
    acme/prod/mail
    What to do: Run again with this report as input: only apps that are not done are sent.
"""


@pytest.mark.parametrize(("columns", "text"), [(80, AT_80), (200, AT_200)])
def test_a_summary_wraps_between_words_and_keeps_its_indent(
    monkeypatch: pytest.MonkeyPatch, columns: int, text: str
) -> None:
    monkeypatch.setattr(console, "out", on := screen(columns))
    print_report(night(), "text")
    assert shown(on) == (HEAD + text).splitlines()


def test_a_summary_fits_120_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "out", on := screen(120))
    print_report(night(), "text")
    assert max(map(len, shown(on))) <= 120
    assert " ".join(" ".join(shown(on)).split()) == " ".join((HEAD + AT_200).split())


def piped(tmp_path: Path, **environment: str) -> str:
    night().write(tmp_path / "run.json")
    done = subprocess.run(
        [sys.executable, "-m", "aioappsapi", "report", "show", str(tmp_path / "run.json")],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.partition("\n")[2]


@pytest.mark.parametrize("environment", [{}, {"COLUMNS": "40"}, {"NO_COLOR": "1"}], ids=str)
def test_a_pipe_gets_whole_lines_without_escapes(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert piped(tmp_path, **environment) == HEAD + AT_200


# -- progress


@virtual
@pytest.mark.parametrize("columns", [80, 120, 200])
async def test_the_live_display_has_the_same_lines_at_every_width(columns: int) -> None:
    run = ARun(in_flight=5, held=4, waiting=20, retrying=1, limit=64, rate_left=950)
    on = screen(columns)
    with display(on, run) as live:
        live.show(run.end(Status.FAILED))
        live.show(run.end())
        await anyio.sleep(4.05)
    written = on.file.getvalue()  # type: ignore[attr-defined]
    frames = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", one) for one in written.split("start ")]
    bar, *lines = (line.strip() for line in frames[-1].replace("\r", "").splitlines()[:4])
    assert max(len(line) for line in re.split("[\r\n]+", "start ".join(frames))) <= columns
    assert re.fullmatch(r"━+ +2/40 5%", bar)
    assert len(f"start {bar}") == columns
    assert lines == [
        "1 ok  1 failed  5 in progress  4 held back  20 starting  1 to retry  8 to go",
        "0.5 apps/s  4 s elapsed  about 1 min 17 s left",
        "at most 64 requests at a time  950 requests left in the rate limit",
    ]
