"""The options of `snapshot` and `restore`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aioappsapi.cli.flags import (
    RUN,
    Deadline,
    LogFlags,
    OutputFlags,
    RunFlags,
    Selection,
    SnapshotFile,
    TargetFlags,
    WaitFlags,
    Words,
)


def snapshot(
    file: SnapshotFile,
    /,
    *words: Words,
    force: Annotated[bool, Parameter(group=RUN, help="Replace an existing snapshot.")] = False,
    deadline: Deadline = None,
    selection: Selection = Selection(),
    log: LogFlags = LogFlags(),
    target: TargetFlags = TargetFlags(),
) -> int:
    from aioappsapi.cli.window import SnapshotCommand

    return SnapshotCommand(
        file=file,
        words=words,
        force=force,
        deadline=deadline,
        selection=selection,
        log=log,
        target=target,
    ).execute()


def restore(
    file: SnapshotFile,
    /,
    *,
    wait: WaitFlags = WaitFlags(),
    run: RunFlags = RunFlags(),
    output: OutputFlags = OutputFlags(),
    log: LogFlags = LogFlags(),
    target: TargetFlags = TargetFlags(),
) -> int:
    from aioappsapi.cli.window import RestoreCommand

    return RestoreCommand(
        file=file, wait=wait, run=run, output=output, log=log, target=target
    ).execute()
