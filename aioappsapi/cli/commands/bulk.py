"""The options of `start`, `stop`, `restart`, `restage` and `scale`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter

from aioappsapi.cli.action_flags import ActionFlags, NoFlags, RestageFlags, RollingFlags, ScaleFlags
from aioappsapi.cli.flags import (
    BulkAction,
    JournalFlags,
    LogFlags,
    OutputFlags,
    RunFlags,
    Selection,
    TargetFlags,
    WaitFlags,
    Words,
)
from aioappsapi.cli.wave_flags import WaveFlags


def _command(action: BulkAction, more: ActionFlags) -> Callable[..., int]:
    """Make a command; `more` are the options of its action, with their defaults."""

    def command(
        *words: Words,
        selection: Selection = Selection(),
        wait: WaitFlags = WaitFlags(),
        how: ActionFlags = more,
        waves: WaveFlags = WaveFlags(),
        run: RunFlags = RunFlags(),
        journal: JournalFlags = JournalFlags(),
        output: OutputFlags = OutputFlags(),
        log: LogFlags = LogFlags(),
        target: TargetFlags = TargetFlags(),
    ) -> int:
        from aioappsapi.cli.fleet import bulk_command

        return bulk_command(
            action=action,
            words=words,
            selection=selection,
            wait=wait,
            how=how,
            waves=waves,
            run=run,
            journal=journal,
            output=output,
            log=log,
            target=target,
        ).execute()

    # cyclopts reads the options from here; where there are none, it must not look for any.
    kind = Annotated[NoFlags, Parameter(parse=False)] if isinstance(more, NoFlags) else type(more)
    command.__annotations__["how"] = kind
    return command


start, stop = _command("start", NoFlags()), _command("stop", NoFlags())
restart = _command("restart", RollingFlags())
restage = _command("restage", RestageFlags())
scale = _command("scale", ScaleFlags())
