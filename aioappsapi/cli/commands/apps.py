"""The commands after `apps`: a list, and operations on one app."""

from __future__ import annotations

from collections.abc import Callable

from aioappsapi.cli.action_flags import CallFlags
from aioappsapi.cli.flags import (
    AppName,
    Include,
    LogFlags,
    Selection,
    TargetFlags,
    WaitFor,
    Yes,
)


def list_apps(
    *,
    selection: Selection = Selection(),
    call: CallFlags = CallFlags(),
    log: LogFlags = LogFlags(),
    target: TargetFlags = TargetFlags(),
) -> int:
    from aioappsapi.cli.apps import AppCommand

    return AppCommand(call, log, target).list(selection)


def get(
    app: AppName,
    /,
    *,
    include: Include = (),
    call: CallFlags = CallFlags(),
    log: LogFlags = LogFlags(),
    target: TargetFlags = TargetFlags(),
) -> int:
    from aioappsapi.cli.apps import AppCommand

    return AppCommand(call, log, target).get(app, include)


def _look(name: str) -> Callable[..., int]:
    def look(
        app: AppName,
        /,
        *,
        call: CallFlags = CallFlags(),
        log: LogFlags = LogFlags(),
        target: TargetFlags = TargetFlags(),
    ) -> int:
        from aioappsapi.cli.apps import AppCommand

        return AppCommand(call, log, target).look(name, app)

    return look


env, features, permissions = _look("env"), _look("features"), _look("permissions")
ssh, droplet = _look("ssh"), _look("droplet")


def _act(action: str) -> Callable[..., int]:
    def act(
        app: AppName,
        /,
        *,
        wait: WaitFor = None,
        call: CallFlags = CallFlags(),
        log: LogFlags = LogFlags(),
        target: TargetFlags = TargetFlags(),
    ) -> int:
        from aioappsapi.cli.apps import AppCommand

        return AppCommand(call, log, target).act(action, app, wait or "none")

    return act


start, stop, restart = _act("start"), _act("stop"), _act("restart")


def delete(
    app: AppName,
    /,
    *,
    yes: Yes = False,
    call: CallFlags = CallFlags(),
    log: LogFlags = LogFlags(),
    target: TargetFlags = TargetFlags(),
) -> int:
    from aioappsapi.cli.apps import AppCommand

    return AppCommand(call, log, target).delete(app, yes=yes)
