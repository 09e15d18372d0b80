"""`snapshot` and `restore`: the commands around a maintenance window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aioappsapi import App, InvalidInputError, Report, Snapshot, Status
from aioappsapi.cli.busy import busy
from aioappsapi.cli.console import print_lines, say, take_log
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import (
    LogFlags,
    Output,
    OutputFlags,
    RunFlags,
    Selection,
    TargetFlags,
    WaitFlags,
)
from aioappsapi.cli.outputs import (
    check_apart,
    check_folder,
    check_reports,
    deliver,
    write_or_rescue,
)
from aioappsapi.cli.questions import confirm_many
from aioappsapi.cli.runs import check_waiting, follow_to_end, run_options
from aioappsapi.cli.selection import Given, read_given, select
from aioappsapi.cli.session import Session, Work, execute
from aioappsapi.cli.summary import apps, print_report, reason_lines
from aioappsapi.cli.target import opened
from aioappsapi.cli.typed import command, option_words


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
    wait: WaitFlags
    run: RunFlags
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
        check_reports(self.output.report, [("the snapshot", self.file)])
        return partial(self._work, snapshot=load_snapshot(self.file))

    async def _work(self, session: Session, *, snapshot: Snapshot) -> Exit:
        bulk, force = session.client.bulk, self.run.force
        if not force and snapshot.target != session.client.api_url:
            raise InvalidInputError(
                f"{self.file} is a snapshot of {snapshot.target}, but the target is "
                f"{session.client.api_url}. Nothing was sent. Give --force to restore it here."
            )
        options = run_options(self.wait, self.run, session.clock.left)
        if self.run.dry_run:
            async with session.clock.bounding("the prediction; nothing was sent"):
                with busy("predicting outcomes", shown=self.output.shows_progress):
                    report = await bulk.restore(snapshot, force=force, dry_run=True, **options)
            return deliver(report, self.output, show=partial(_print_prediction, snapshot, report))
        if not self.run.yes and self.target.sandbox is None:
            confirm_many(session, "restore", len(snapshot.apps))
        options = run_options(self.wait, self.run, session.clock.left)
        restoration = bulk.restoration(snapshot, force=force, **options)
        return await follow_to_end(
            session, restoration, lambda: restoration.report, self.output, go_on=self._go_on
        )

    def _go_on(self, report: Path | None) -> str | None:
        """Return this command again: a restoration skips apps that match the snapshot."""
        del report
        if self.target.sandbox is not None:
            return None
        flags = (self.wait, self.run, self.output, self.target)
        return command("restore", self.file, *(word for one in flags for word in option_words(one)))


def load_snapshot(file: Path) -> Snapshot:
    """Read a snapshot. Raises InvalidInputError for an unreadable or another file."""
    try:
        return Snapshot.load(file)
    except OSError as cause:
        raise InvalidInputError(f"{file} cannot be read: {cause.strerror or cause}.") from None


def _print_prediction(snapshot: Snapshot, report: Report[App], output: Output) -> None:
    if output != "text":
        print_report(report, output)
        return
    counts = report.counts
    changes = f"{counts['ok']} to be brought back, {counts['already']} already as in the snapshot"
    lines = [
        f"dry run: would restore {apps(len(report))} at {report.target}",
        f"  {changes}, {counts['failed']} would be refused",
        *reason_lines(report),
    ]
    for app, outcome in zip(snapshot.apps, report, strict=True):
        if outcome.status is not Status.ALREADY:
            lines.append(f"  {app.guid}  {outcome.status:<8}  {app.state}  {app.name}")
    print_lines(lines)
