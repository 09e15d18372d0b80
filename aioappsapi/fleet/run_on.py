"""The run of a fleet on other processes or machines, by any executor.

There is no scheduler and no queue here: an executor places one task for each foundation. Each task
has a journal on storage that all machines share. A task that is run again, because its worker
died, continues from there.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Never

from filelock import FileLock, Timeout

from aioappsapi.bulk.reports.report import Report
from aioappsapi.bulk.run.conclude import attach_report
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError, InvalidInputError, TaskLostError, refuse_unless
from aioappsapi.fleet.bulk import journal_path, make_folder
from aioappsapi.fleet.fleet import Fleet
from aioappsapi.fleet.lost_task import report_of_lost_task
from aioappsapi.fleet.selection import FleetKeys
from aioappsapi.fleet.target import Target
from aioappsapi.fleet.target_task import TargetTask
from aioappsapi.fleet.targets_file import choose_targets, read_targets
from aioappsapi.models.app import App


async def run_on(
    executor: Executor,
    tasks: Sequence[TargetTask],
    *,
    journal: str | Path,
    deadline: float | None = None,
) -> Report[Never]:
    """Run the tasks of several foundations on an executor, and return one report.

    Any `concurrent.futures.Executor` will do: a process pool, or Dask's ``Client.get_executor()``.
    `journal` is a folder that all machines share, at the same path. Called again with the same
    tasks and folder, it continues: finished apps are taken over, and no app is restarted twice.

    A task that its executor lost, because a worker died and it was not run again, has a
    TaskLostError in `report.target_errors`. Its outcomes are those in its journal: apps whose
    request may have been sent are `unverified`, others `not_attempted`. `deadline` is in seconds,
    for all tasks; the clocks of the machines should agree. A cancellation cancels tasks that have
    not begun; those that run go on until they end. Raises InvalidInputError for two tasks of one
    target.
    """
    folder = Path(journal)
    _check(tasks)
    make_folder(folder)
    ends_at = None if deadline is None else time.time() + deadline
    futures = [_submit(executor, task, folder, ends_at) for task in tasks]
    try:
        await asyncio.wait([asyncio.ensure_future(_settled(one)) for one in futures])
    except asyncio.CancelledError as cancelled:
        for future in futures:
            future.cancel()
        attach_report(cancelled, await asyncio.shield(_merged(tasks, futures, folder)))
        raise
    return await _merged(tasks, futures, folder)


def _check(tasks: Sequence[TargetTask]) -> None:
    names = [task.name for task in tasks]
    refuse_unless(bool(names), "run_on() needs at least one task.")
    twice = {name for name in names if names.count(name) > 1}
    refuse_unless(not twice, f"Two tasks are for {', '.join(sorted(twice))}. Give each one task.")


def _submit(
    executor: Executor, task: TargetTask, folder: Path, ends_at: float | None
) -> Future[bytes]:
    # Some executors take two equal calls for one, and return the earlier result.
    call = uuid.uuid4().hex
    try:
        return executor.submit(work_on, task, str(folder), ends_at, call)
    except RuntimeError as broken:  # a pool whose worker died takes no more tasks
        failed: Future[bytes] = Future()
        failed.set_exception(broken)
        return failed


async def _settled(future: Future[bytes]) -> None:
    await asyncio.wait([asyncio.wrap_future(future)])


async def _merged(
    tasks: Sequence[TargetTask], futures: Sequence[Future[bytes]], folder: Path
) -> Report[Never]:
    reports = [
        await _report_of(task, future, journal_path(folder, task.name))
        for task, future in zip(tasks, futures, strict=True)
    ]
    return Report[Never].merge(reports)


async def _report_of(task: TargetTask, future: Future[bytes], journal: Path) -> Report[Never]:
    if not future.done():
        error: AppsApiError = TaskLostError(f"{task.name}: its task still runs; see {journal}.")
        return await report_of_lost_task(task, journal, error)
    if future.cancelled():
        error = TaskLostError(f"{task.name}: its task was cancelled before it began.")
        return await report_of_lost_task(task, journal, error)
    if (failure := future.exception()) is None:
        return Report.from_json(future.result())
    if isinstance(failure, AppsApiError):
        return await report_of_lost_task(task, journal, failure)
    said = f"{type(failure).__name__}: {failure}".removesuffix(": ")
    error = TaskLostError(f"{task.name}: the executor lost its task ({said}).")
    return await report_of_lost_task(task, journal, error)


# -- where the task runs


def work_on(task: TargetTask, folder: str, ends_at: float | None, call: str) -> bytes:
    """Carry out a task, or continue it, and return its report as JSON. An executor calls this."""
    del call
    journal = journal_path(folder, task.name)
    _wait_for(journal, ends_at)
    return asyncio.run(_work_on(task, folder, ends_at, resume=journal.exists()))


def _wait_for(journal: Path, ends_at: float | None) -> None:
    """Wait until nobody else works with a journal.

    An executor may take a worker for dead that only lost its connection, and run the task twice.
    Raises InvalidInputError at the deadline.
    """
    left = -1.0 if ends_at is None else max(ends_at - time.time(), 0.0)
    try:
        with FileLock(f"{journal}.lock", timeout=left, mode=0o600):
            pass
    except Timeout:
        raise InvalidInputError(
            f"The journal {journal} is in use: an earlier run of this task has not ended."
        ) from None


async def _work_on(task: TargetTask, folder: str, ends_at: float | None, *, resume: bool) -> bytes:
    target = _target_of(task)
    how: dict[str, Any] = {**task.options, "keep_values": False}
    how |= {"journal": folder, "resume": resume}
    if task.scale is not None:
        how["scale"] = task.scale
    if ends_at is not None:
        how["deadline"] = max(ends_at - time.time(), 0.001)

    async def select(client: Client) -> list[App]:
        return await client.bulk.select(**(task.select or {}))

    keys: FleetKeys = select if task.keys is None else {target.name: task.keys}
    async with Fleet({target.name: target.client()}) as fleet:
        run = fleet.bulk.stream(task.action, keys, **how)
        await run.run()
        return run.report.to_json().encode()


def _target_of(task: TargetTask) -> Target:
    if isinstance(task.target, Target):
        return task.target
    return choose_targets(read_targets(), [task.target])[task.target]
