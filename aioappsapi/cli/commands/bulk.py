"""What may be typed after `start`, `stop` and `restart`: all three take the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from aioappsapi.cli.flags import (
    JournalFlags,
    LogFlags,
    OutputFlags,
    RunFlags,
    Selection,
    TargetFlags,
    WaitFlags,
    Words,
)

Action = Literal["start", "stop", "restart"]


def _command(action: Action) -> Callable[..., int]:
    def command(
        *words: Words,
        selection: Selection = Selection(),
        wait: WaitFlags = WaitFlags(),
        run: RunFlags = RunFlags(),
        journal: JournalFlags = JournalFlags(),
        output: OutputFlags = OutputFlags(),
        log: LogFlags = LogFlags(),
        target: TargetFlags = TargetFlags(),
    ) -> int:
        from aioappsapi.cli.bulk import BulkCommand

        return BulkCommand(
            action=action,
            words=words,
            selection=selection,
            wait=wait,
            run=run,
            journal=journal,
            output=output,
            log=log,
            target=target,
        ).execute()

    return command


start, stop, restart = _command("start"), _command("stop"), _command("restart")
