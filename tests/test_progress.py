"""The progress of a run."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from dataclasses import dataclass, field

import anyio
import pytest
from rich.console import Console

from aioappsapi import Client, PasswordGrant, Pause
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.windows.waves import Wave
from aioappsapi.cli.progress import Lines, Live, display
from aioappsapi.errors import UnprocessableError
from aioappsapi.models import ApiError
from aioappsapi.sandbox import Faults, Sandbox
from tests.fakes import GUID, virtual


@dataclass
class ARun:
    """What the display sees of a run."""

    action: str = "start"
    total: int = 40
    in_flight: int = 0
    held: int = 0
    waiting: int = 0
    retrying: int = 0
    taken_over: int = 0
    limit: int | None = None
    rate_left: int | None = None
    paused_for: float = 0.0
    wave: Wave | None = None
    wave_pause: float = 0.0
    counts: Counter[Status] = field(default_factory=Counter)

    def end(self, status: Status = Status.OK, **fields: object) -> Outcome:
        self.counts[status] += 1
        return Outcome(key=GUID, status=status, **fields)


def refused() -> UnprocessableError:
    return UnprocessableError(
        f"start app {GUID}: 422 CF-UnprocessableEntity: No droplet. (request id r1)",
        status=422,
        errors=(ApiError(code=10008, title="CF-UnprocessableEntity", detail="No droplet."),),
        request_id="r1",
    )


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, soft_wrap=True)


@pytest.fixture
def log() -> Console:
    return Console(file=io.StringIO(), width=80, soft_wrap=True)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@virtual
async def test_a_terminal_gets_the_live_display_and_anything_else_lines(
    terminal: Console, log: Console
) -> None:
    assert isinstance(display(terminal, ARun()), Live)
    assert isinstance(display(log, ARun()), Lines)


@virtual
async def test_a_log_has_a_line_per_tenth_and_names_awaited_apps(log: Console) -> None:
    run = ARun(in_flight=5, waiting=20)
    with display(log, run) as shown:
        for _ in range(8):
            shown.show(run.end())
    assert text(log).splitlines() == [
        "start: 40 apps",
        "start: 4/40 done (4 ok), 5 in progress, 20 starting, 11 to go, 0 s elapsed",
        "start: 8/40 done (8 ok), 5 in progress, 20 starting, 7 to go, 0 s elapsed",
    ]


@virtual
async def test_a_log_gets_a_line_every_ten_seconds_while_apps_wait(log: Console) -> None:
    run = ARun(action="stop", waiting=40)
    with display(log, run):
        await anyio.sleep(35)
    await anyio.sleep(100)
    assert text(log).splitlines() == ["stop: 40 apps"] + [
        f"stop: 0/40 done, 40 stopping, {seconds} s elapsed" for seconds in (10, 20, 30)
    ]


@virtual
async def test_a_progress_line_resets_the_ten_seconds(log: Console) -> None:
    run = ARun(total=2, waiting=1)
    with display(log, run) as shown:
        await anyio.sleep(9)
        shown.show(run.end())
        await anyio.sleep(9)
    assert text(log).count("done") == 1


@virtual
async def test_a_failed_app_has_a_line_with_its_guid_and_request_id(log: Console) -> None:
    run = ARun()
    with display(log, run) as shown:
        shown.show(run.end(Status.FAILED, name="web\x1b[2J", error=refused()))
    line = f"failed: web\\x1b[2J ({GUID}): 422 CF-UnprocessableEntity: No droplet. (request id r1)"
    assert line in text(log).splitlines()


@virtual
async def test_a_terminal_shows_only_the_reason(terminal: Console) -> None:
    run = ARun()
    with display(terminal, run) as shown:
        shown.show(run.end(Status.FAILED, name="[red]web", error=refused()))
    assert "[red]web: 422 CF-UnprocessableEntity: No droplet." in text(terminal)
    assert "request id" not in text(terminal)
    assert GUID not in text(terminal)


@virtual
async def test_the_bar_shows_apps_in_flight_and_the_reason_of_a_pause(terminal: Console) -> None:
    run = ARun(in_flight=5, held=10, waiting=20, paused_for=12.4)
    with display(terminal, run) as shown:
        shown.show(run.end())
        await anyio.sleep(1)
    shown_text = text(terminal)
    parts = ("1/40 2%", "5 in progress", "10 held back", "20 starting", "4 to go", "1 ok")
    for part in (*parts, "paused by the rate limit for 13 s more"):
        assert part in shown_text


@virtual
async def test_a_run_with_an_app_to_go_is_not_at_100_percent(terminal: Console) -> None:
    run = ARun(total=300, waiting=1)
    run.counts[Status.OK] = 299
    with display(terminal, run):
        await anyio.sleep(1)
    assert "299/300 99%" in text(terminal)


@virtual
@pytest.mark.parametrize("kind", ["terminal", "log"])
async def test_the_wave_and_the_pause_before_the_next_one_are_shown(
    kind: str, request: pytest.FixtureRequest
) -> None:
    console: Console = request.getfixturevalue(kind)
    wave = Wave(number=2, of=5, name="web\x1b[2J", keys=("a",))
    with display(console, ARun(in_flight=1, wave=wave, wave_pause=29.5)):
        await anyio.sleep(11)
    assert r"wave 2 of 5 (web\x1b[2J)" in text(console)
    assert "pause before the next wave, 30 s more" in text(console)


@virtual
@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("stop", "2 stopping"),
        ("restage", "2 building or starting"),
        ("restore", "2 starting or stopping"),
        ("scale", "2 starting"),
    ],
)
async def test_apps_that_are_awaited_have_the_word_of_the_action(
    log: Console, action: str, said: str
) -> None:
    with display(log, ARun(action=action, waiting=2)):
        await anyio.sleep(11)
    assert f"{said}, " in text(log)


@virtual
async def test_the_limits_in_force_and_apps_to_retry_are_shown(terminal: Console) -> None:
    run = ARun(in_flight=5, retrying=3, limit=64, rate_left=1200)
    with display(terminal, run):
        await anyio.sleep(1)
    parts = ("5 in progress", "3 to retry", "32 to go", "at most 64 requests at a time")
    for part in (*parts, "1,200 requests left in the rate limit"):
        assert part in text(terminal)


@virtual
async def test_apps_of_an_earlier_process_do_not_count_for_the_rate(log: Console) -> None:
    run = ARun(total=40, taken_over=20, waiting=10)
    run.counts[Status.OK] = 30
    with display(log, run):
        await anyio.sleep(10.5)
    assert "30/40 done (30 ok), 10 starting, 1.0 apps/s, 10 s elapsed" in text(log)


@virtual
async def test_a_pause_is_logged_passed_to_the_callback_and_shown_in_the_progress(
    log: Console, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a real run under a real rate limit: nothing is ever waited for in silence."""
    clock = asyncio.get_running_loop().time
    faults = Faults(rate_limit=20, rate_window=40.0)
    pauses: list[Pause] = []
    auth = PasswordGrant("admin", "admin")
    async with (
        Sandbox(30, faults=faults, clock=clock) as cloud,
        Client(cloud.url, auth=auth, proxy="") as client,
    ):
        run = client.bulk.stream("start", list(cloud.apps), on_pause=pauses.append)
        with display(log, run) as shown:
            async with run as outcomes:
                async for outcome in outcomes:
                    shown.show(outcome)
    assert run.report.ok
    assert max(pause.seconds for pause in pauses) > 20
    assert "nothing new is sent for" in caplog.text
    assert text(log).count("by the rate limit") >= 2
