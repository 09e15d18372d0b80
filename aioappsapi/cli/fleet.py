"""`start`, `stop`, `restart`, `restage` and `scale` at several named targets at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from aioappsapi import App, Fleet, FleetRun, InvalidInputError
from aioappsapi.cli.bulk import BulkCommand
from aioappsapi.cli.busy import busy
from aioappsapi.cli.console import say, take_log
from aioappsapi.cli.dry_run import print_prediction
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import STDIN, TargetFlags
from aioappsapi.cli.fleet_selection import count_apps, select_at_all
from aioappsapi.cli.outputs import deliver
from aioappsapi.cli.questions import approve_wave, confirm_many
from aioappsapi.cli.runs import follow_to_end, run_options
from aioappsapi.cli.selection import Given
from aioappsapi.cli.session import Session, Work, execute
from aioappsapi.cli.target import named_targets, opened_fleet
from aioappsapi.cli.typed import command, option_words
from aioappsapi.fleet.bulk import FleetStreamOptions


def bulk_command(**parts: Any) -> BulkCommand:
    """Make the command for what was typed: for one target, or for several."""
    several = FleetCommand if _has_several(parts["target"]) else BulkCommand
    return several(**parts)


def _has_several(target: TargetFlags) -> bool:
    try:
        return len(named_targets(target)) > 1
    except InvalidInputError:  # the command itself reports it
        return False


@dataclass(frozen=True, kw_only=True)
class FleetCommand(BulkCommand):
    """One action on many apps of several targets, as it was typed."""

    def execute(self) -> Exit:
        """Carry it out and return the exit status."""
        take_log(self.log)
        return execute(
            opened_fleet,
            self._prepare_fleet,
            self.target,
            output=self.output.output,
            deadline=self.run.deadline,
            run=self.run,
        )

    def _prepare_fleet(self) -> Work[Fleet] | Exit:
        if self.waves.approve and not self.waves.target_waves:
            raise InvalidInputError(
                "--approve asks at one target, or before waves of targets: give --target-waves."
            )
        if self.waves.target_waves and self.waves.canary is None and self.waves.ramp is None:
            raise InvalidInputError("--target-waves needs --canary or --ramp.")
        given = self._checked_input()
        if given.is_done:
            return self._nothing_to_do(given)
        return partial(self._work_at_all, given=given)

    def _check_place(self, journal: Path) -> None:
        """Refuse a path that cannot be a folder. Raises InvalidInputError."""
        if journal.exists() and not journal.is_dir():
            raise InvalidInputError(f"{journal} is a file. Several targets need a folder.")

    async def _work_at_all(self, session: Session[Fleet], *, given: Given) -> Exit:
        fleet, clock = session.client, session.clock
        async with clock.bounding("the selection of apps; nothing was sent"):
            with busy("listing apps", shown=self.output.shows_progress):
                chosen = await select_at_all(fleet, given, self.selection)
        if self.run.dry_run:
            async with clock.bounding("the prediction; nothing was sent"):
                options = self._options(clock.left)
                with busy("predicting outcomes", shown=self.output.shows_progress):
                    report = await fleet.bulk.predict(self.action, chosen, **options)
            return deliver(report, self.output, show=partial(print_prediction, report, ()))
        if not (self.run.yes or self.waves.approve):
            confirm_many(session, self.action, count_apps(chosen))
        options = self._options(clock.left)
        options["journal"] = self.journal.journal
        options["resume"] = self.journal.resume
        if self.waves.target_waves:
            approve = partial(approve_wave, session, self.action, unit="target")
            options["target_waves"] = self.waves.waves(approve)
        run = fleet.bulk.stream(self.action, chosen, **options)
        return await follow_to_end(
            session,
            [run],
            lambda: run.report,
            self.output,
            go_on=partial(self._go_on_at_all, fleet, run),
        )

    def _go_on_at_all(self, fleet: Fleet, run: FleetRun[App], report: Path | None) -> str | None:
        """Return the command that continues; the one for unusable targets is a line of its own."""
        if self.journal.journal is not None:
            return self._go_on(report)
        unknown = [
            name
            for name in fleet
            if fleet[name].api_url in run.report.target_errors and name not in run.runs
        ]
        if unknown:
            there = replace(self.target, targets=tuple(unknown), all_targets=False)
            groups = (self.selection, self.wait, self.waves, self.run, self.output, there)
            options = [word for group in groups for word in option_words(group)]
            words = ["-" if word == STDIN else word for word in self.words]
            again = command(self.action, *words, *self.how.typed(), *options)
            say(f"to run it at the targets that could not be used: {again}")
        return self._go_on(report) if run.report.remaining else None

    def _options(self, left: float | None) -> FleetStreamOptions[App]:
        more = {"max_failures_per_target": self.run.max_failures_per_target}
        waves = None if self.waves.target_waves else self.waves.waves()
        given = {**run_options(self.wait, self.run, left), **self._more, "waves": waves, **more}
        return cast("FleetStreamOptions[App]", given)
