"""The report of a task that an executor lost, from its journal."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never, cast

import msgspec

from aioappsapi.auth.grants import StaticToken
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.journal import Head
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError, NotAttemptedError
from aioappsapi.fleet.target import Target
from aioappsapi.fleet.target_task import TargetTask


async def report_of_lost_task(
    task: TargetTask, journal: Path, error: AppsApiError
) -> Report[Never]:
    """Return a report with the outcomes that a journal has; nothing is sent.

    It reads a copy: the task may still run somewhere, and a later one continues the journal.
    """
    with tempfile.TemporaryDirectory(prefix="aioappsapi-") as folder:
        copy = Path(folder) / "copy.journal"
        lines = _copied(journal, copy)
        head = _head_of(lines)
        if head is None:
            return _nothing_known(task, error)
        keys = list(task.keys or _keys_in(lines[1:]))
        report = await _read(task, head.target, keys, copy, str(error).rstrip("."))
    report.target_errors[head.target] = error
    report.complete = task.keys is not None
    return report


async def _read(
    task: TargetTask, target: str, keys: list[str], journal: Path, reason: str
) -> Report[Never]:
    """Resume a run and stop it at once: each app gets the outcome that its journal proves."""
    client = Client(target, auth=StaticToken("never-sent"), proxy="")
    options: dict[str, Any] = {**task.options}
    if task.scale is not None:
        options["scale"] = task.scale
    options.pop("waves", None)
    run = client.bulk.stream(task.action, keys, journal=journal, resume=True, **options)
    run.stop(reason)
    await run.run()
    return cast("Report[Never]", run.report)


def _copied(journal: Path, copy: Path) -> list[bytes]:
    try:
        shutil.copyfile(journal, copy)
    except FileNotFoundError:  # the task never began
        return []
    return copy.read_bytes().splitlines()


def _head_of(lines: list[bytes]) -> Head | None:
    try:
        return msgspec.json.decode(lines[0], type=Head) if lines else None
    except msgspec.DecodeError:  # torn, before any request
        return None


def _keys_in(lines: list[bytes]) -> list[str]:
    """Return the apps that a journal names, in the order of their first line."""
    found: dict[str, None] = {}
    for line in lines:
        try:
            tag, key, *_ = msgspec.json.decode(line, type=list[object])
        except (msgspec.DecodeError, ValueError):  # the last line may be torn
            continue
        if tag in {"sending", "ended"} and isinstance(key, str):
            found[key] = None
    return list(found)


def _nothing_known(task: TargetTask, error: AppsApiError) -> Report[Never]:
    """Return a report where no journal was begun: no request was sent."""
    target = task.target if isinstance(task.target, Target) else None
    url = (None if target is None else target.api) or task.name
    now = datetime.now(UTC)
    return Report[Never](
        [
            Outcome(
                key=key,
                status=Status.NOT_ATTEMPTED,
                error=NotAttemptedError(f"{task.action} app {key}: {str(error).rstrip('.')}."),
            )
            for key in dict.fromkeys(task.keys or ())
        ],
        action=task.action,
        target=url,
        started_at=now,
        finished_at=now,
        complete=task.keys is not None,
        target_errors={url: error},
    )
