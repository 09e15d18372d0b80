"""The options of `snapshot` and `restore`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aioappsapi.cli.action_flags import RestoreFlags
from aioappsapi.cli.flags import (
    RUN,
    Deadline,
    JournalFlags,
    LogFlags,
    OutputFlags,
    RunFlags,
    Selection,
    SnapshotFile,
    TargetFlags,
    WaitFlags,
    Words,
)
from aioappsapi.cli.wave_flags import WaveFlags


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
    what: RestoreFlags = RestoreFlags(),
    wait: WaitFlags = WaitFlags(),
    waves: WaveFlags = WaveFlags(),
    run: RunFlags = RunFlags(),
    journal: JournalFlags = JournalFlags(),
    output: OutputFlags = OutputFlags(),
    log: LogFlags = LogFlags(),
    target: TargetFlags = TargetFlags(),
) -> int:
    from aioappsapi.cli.window import RestoreCommand

    return RestoreCommand(
        file=file,
        what=what,
        wait=wait,
        waves=waves,
        run=run,
        journal=journal,
        output=output,
        log=log,
        target=target,
    ).execute()
