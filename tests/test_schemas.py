"""JSON schemas: they match the Structs, and every written file fits."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import App, Client, Outcome, PasswordGrant, RetryPolicy, Snapshot, Status, Waves
from aioappsapi.bulk import AppState, ProcessState
from aioappsapi.bulk.reports.timing import LimitLevel, PauseSpan
from aioappsapi.bulk.schemas import DOCUMENTS, generate_schema, stored_schema
from aioappsapi.sandbox import Faults, Sandbox
from tests.fakes import virtual
from tests.reports import MIXED, OK, outcome, outcomes, report

REPORT = jsonschema.Draft202012Validator(json.loads(generate_schema("report")))
JOURNAL = jsonschema.Draft202012Validator(json.loads(generate_schema("journal")))
SNAPSHOT = jsonschema.Draft202012Validator(json.loads(generate_schema("snapshot")))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_stored_schema_matches_the_structs(name: str) -> None:
    assert stored_schema(name) == generate_schema(name), "run .ci/schemas"


@given(st.lists(outcomes, max_size=3))
def test_any_report_fits_its_schema(some: list[Outcome[App]]) -> None:
    REPORT.validate(json.loads(report(*some).to_json()))


def test_a_report_with_everything_fits_its_schema(tmp_path: Path) -> None:
    one = report(
        outcome("a", Status.OK, target="eu", wave=1, space="dev", organization="acme"),
        *MIXED,
        target=None,
        complete=False,
        predicted=True,
        stopped="enough",
        options={"wait": "all"},
        pauses=[PauseSpan(second=1, seconds=2)],
        limits=[LimitLevel(second=0, limit=5)],
    )
    one.write(tmp_path / "report.json")
    REPORT.validate(json.loads((tmp_path / "report.json").read_text()))


@virtual
async def test_every_line_of_a_journal_fits_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    clock = asyncio.get_running_loop().time
    faults = Faults(startup=1, crash=0.1, unavailable=0.3)
    once = RetryPolicy(attempts=1)
    async with (
        Sandbox(20, faults=faults, clock=clock) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="", retry=once) as client,
    ):
        await client.bulk.start(
            list(cloud.apps), wait="all", max_failures=10, journal=path, waves=Waves.ramp(8)
        )
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        JOURNAL.validate(line)
    kinds = {line[0] for line in lines[1:]}
    assert kinds == {"resumed", "sending", "accepted", "not_done", "ended", "waves"}


@pytest.mark.parametrize(
    "line", [["sending", "a"], ["sent", "a", 0], ["ended", "a", 9, "", None, {}], {"schema": 2}]
)
def test_another_line_is_none_of_a_journal(line: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        JOURNAL.validate(line)


@pytest.mark.parametrize("change", [{"schema": 2}, {"counts": None}, {"outcomes": [{"key": "a"}]}])
def test_another_document_does_not_fit(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        REPORT.validate(json.loads(report(OK).to_json()) | change)


def test_a_snapshot_fits_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    full = AppState(
        guid="a",
        name="web",
        space="dev",
        organization="acme",
        state="STARTED",
        droplet="d",
        processes=(ProcessState(type="web", instances=1, memory_in_mb=64, disk_in_mb=128),),
        labels={"env": "prod", "empty": None},
    )
    least = AppState(guid="b", name="b", state="STOPPED")
    taken = Snapshot(target="https://api.test", taken_at=datetime.now(UTC), apps=(full, least))
    taken.write(path)
    SNAPSHOT.validate(json.loads(path.read_text()))
    assert Snapshot.load(path) == taken
