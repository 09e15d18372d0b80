"""`snapshot` and `restore`: the commands around a maintenance window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from aioappsapi import App, InvalidInputError, Snapshot
from aioappsapi.bulk import RestorePlan
from aioappsapi.bulk.options import RestoreOptions
from aioappsapi.cli.action_flags import RestoreFlags
from aioappsapi.cli.busy import busy
from aioappsapi.cli.console import say, take_log
from aioappsapi.cli.dry_run import print_restore
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import (
    JournalFlags,
    LogFlags,
    OutputFlags,
    RunFlags,
    Selection,
    TargetFlags,
    WaitFlags,
)
from aioappsapi.cli.outputs import (
    check_apart,
    check_folder,
    check_journal,
    deliver,
    write_or_rescue,
)
from aioappsapi.cli.questions import approve_wave, confirm_many
from aioappsapi.cli.runs import check_waiting, check_waves, follow_to_end, run_options
from aioappsapi.cli.selection import Given, read_given, select
from aioappsapi.cli.session import Session, Work, execute
from aioappsapi.cli.summary import apps
from aioappsapi.cli.target import opened
from aioappsapi.cli.typed import command, option_words
from aioappsapi.cli.wave_flags import WaveFlags


@dataclass(frozen=True, kw_only=True)
class SnapshotCommand:
    """`snapshot`, as it was typed."""

    file: Path
    words: tuple[str, ...]
    force: bool
    deadline: float | None
    selection: Selection
    log: LogFlags
    target: TargetFlags

    def execute(self) -> Exit:
        """Carry it out and return the exit status."""
        take_log(self.log)
        return execute(
            opened,
            self._prepare,
            self.target,
            deadline=self.deadline,
            interrupted="no snapshot was written.",
        )

    def _prepare(self) -> Work:
        check_folder(self.file)
        if self.file.exists() and not self.force:
            raise InvalidInputError(f"{self.file} exists already: --force replaces it.")
        given = read_given(self.words, self.selection)
        check_apart(self.file, [("an input", path) for path in given.files])
        return partial(self._work, given=given)

    async def _work(self, session: Session, *, given: Given) -> Exit:
        if not self.force:
            given.check_target(session.client.api_url)
        async with session.clock.bounding("the snapshot; no file was written"):
            with busy("reading the states of apps"):
                chosen = await select(session.client, given, self.selection)
                taken = await session.client.bulk.snapshot(chosen)
        session.interruption.disarm()
        status = write_or_rescue(taken.write, self.file, "the snapshot")
        if status is Exit.OK:
            started = sum(app.state == "STARTED" for app in taken.apps)
            say(f"{self.file} has {apps(len(taken.apps))}, {started} of them started")
        return status


@dataclass(frozen=True, kw_only=True)
class RestoreCommand:
    """`restore`, as it was typed."""

    file: Path
    what: RestoreFlags
    wait: WaitFlags
    waves: WaveFlags
    run: RunFlags
    journal: JournalFlags
    output: OutputFlags
    log: LogFlags
    target: TargetFlags

    def execute(self) -> Exit:
        """Carry it out and return the exit status."""
        take_log(self.log)
        return execute(
            opened,
            self._prepare,
            self.target,
            output=self.output.output,
            deadline=self.run.deadline,
            run=self.run,
        )

    def _prepare(self) -> Work:
        check_waiting(self.wait)
        check_waves(self.waves, self.run)
        check_journal(self.journal, self.output, [("the snapshot", self.file)])
        return partial(self._work, snapshot=load_snapshot(self.file))

    async def _work(self, session: Session, *, snapshot: Snapshot) -> Exit:
        if not self.run.force and snapshot.target != session.client.api_url:
            raise InvalidInputError(
                f"{self.file} is a snapshot of {snapshot.target}, but the target is "
                f"{session.client.api_url}. Nothing was sent. Give --force to restore it here."
            )
        if self.run.dry_run:
            async with session.clock.bounding("the prediction; nothing was sent"):
                with busy("predicting outcomes", shown=self.output.shows_progress):
                    plan = await self._plan(session, snapshot)
            return deliver(plan.report, self.output, show=partial(print_restore, plan))
        if not (self.run.yes or self.waves.approve) and self.target.sandbox is None:
            confirm_many(session, "restore", len(snapshot.apps))
        options = self._options(session)
        options["waves"] = self.waves.waves(partial(approve_wave, session, "restore"))
        options["journal"] = self.journal.journal
        options["resume"] = self.journal.resume
        run = session.client.bulk.restoring(snapshot, force=self.run.force, **options)
        return await follow_to_end(
            session, [run], lambda: run.report, self.output, go_on=self._go_on
        )

    async def _plan(self, session: Session, snapshot: Snapshot) -> RestorePlan:
        options = self._options(session)
        options["waves"] = self.waves.waves()
        bulk = session.client.bulk
        return await bulk.plan_restore(snapshot, force=self.run.force, **options)

    def _options(self, session: Session) -> RestoreOptions[App]:
        given = run_options(self.wait, self.run, session.clock.left)
        options = cast("RestoreOptions[App]", given)
        options["memory"], options["droplets"] = self.what.memory, self.what.droplets
        return options

    def _go_on(self, report: Path | None) -> str | None:
        """Return this command again: from its journal, or by what is not as in the snapshot."""
        del report
        if self.target.sandbox is not None:
            return None
        resumed = replace(self.journal, resume=self.journal.journal is not None)
        flags = (self.what, self.wait, self.waves, self.run, resumed, self.output, self.target)
        return command("restore", self.file, *(word for one in flags for word in option_words(one)))


def load_snapshot(file: Path) -> Snapshot:
    """Read a snapshot. Raises InvalidInputError for an unreadable or another file."""
    try:
        return Snapshot.load(file)
    except OSError as cause:
        raise InvalidInputError(f"{file} cannot be read: {cause.strerror or cause}.") from None
