"""`start`, `stop`, `restart`, `restage` and `scale`: from the selection to the exit status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

from aioappsapi import App, InvalidInputError, Report
from aioappsapi.bulk.options import StreamOptions, check_how
from aioappsapi.cli.action_flags import ActionFlags, ScaleFlags
from aioappsapi.cli.busy import busy
from aioappsapi.cli.console import say, take_log
from aioappsapi.cli.dry_run import print_plan, print_prediction
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import (
    STDIN,
    BulkAction,
    JournalFlags,
    LogFlags,
    OutputFlags,
    RunFlags,
    Selection,
    TargetFlags,
    WaitFlags,
)
from aioappsapi.cli.outputs import check_folder, check_journal, deliver
from aioappsapi.cli.questions import approve_wave, confirm_many
from aioappsapi.cli.runs import check_waiting, check_waves, follow_to_end, run_options
from aioappsapi.cli.selection import Given, Key, read_given, select
from aioappsapi.cli.session import Session, Work, execute
from aioappsapi.cli.target import opened
from aioappsapi.cli.typed import command, option_words
from aioappsapi.cli.wave_flags import WaveFlags


@dataclass(frozen=True, kw_only=True)
class BulkCommand:
    """One action on many apps, as it was typed."""

    action: BulkAction
    words: tuple[str, ...]
    selection: Selection
    wait: WaitFlags
    how: ActionFlags
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

    def _prepare(self) -> Work | Exit:
        if self.run.max_failures_per_target is not None:
            raise InvalidInputError("--max-failures-per-target goes with several targets.")
        if self.waves.target_waves:
            raise InvalidInputError("--target-waves goes with several targets.")
        given = self._checked_input()
        return self._nothing_to_do(given) if given.is_done else partial(self._work, given=given)

    def _checked_input(self) -> Given:
        """Check everything that can be checked now. Raises InvalidInputError."""
        check_waiting(self.wait)
        check_waves(self.waves, self.run)
        _ = self._more  # options that do not fit together are refused now
        given = read_given(self.words, self.selection)
        inputs = [("an input", path) for path in given.files]
        check_journal(self.journal, self.output, inputs, check=self._check_place)
        return given

    def _check_place(self, journal: Path) -> None:
        check_folder(journal)

    def _nothing_to_do(self, given: Given) -> Exit:
        files = ", ".join(str(path) for path, _ in given.reports)
        say(f"nothing to do: every app of {files} is in the requested state")
        now, (_, earlier) = datetime.now(UTC), given.reports[0]
        report: Report[object] = Report(
            (), action=self.action, target=earlier.target, started_at=now, finished_at=now
        )
        # As text, the line above says it all.
        return deliver(report, replace(self.output, quiet=True))

    async def _work(self, session: Session, *, given: Given) -> Exit:
        client, clock = session.client, session.clock
        if not self.run.force:
            given.check_target(client.api_url)
        async with clock.bounding("the selection of apps; nothing was sent"):
            with busy("listing apps", shown=self.output.shows_progress):
                chosen = await select(client, given, self.selection)
        if self.run.dry_run:
            async with clock.bounding("the prediction; nothing was sent"):
                return await self._predict(session, chosen)
        if not (self.run.yes or self.waves.approve) and self.target.sandbox is None:
            confirm_many(session, self.action, len(chosen))
        options = run_options(self.wait, self.run, clock.left)
        options["journal"] = self.journal.journal
        options["resume"] = self.journal.resume
        options["waves"] = self.waves.waves(partial(approve_wave, session, self.action))
        options.update(self._more)
        run = client.bulk.stream(self.action, chosen, **options)
        return await follow_to_end(
            session, [run], lambda: run.report, self.output, go_on=self._go_on
        )

    async def _predict(self, session: Session, chosen: list[Key]) -> Exit:
        options = run_options(self.wait, self.run, session.clock.left)
        options["waves"] = self.waves.waves()
        bulk = session.client.bulk
        if self.action in {"start", "stop", "restart"} and not self._more:
            with busy("predicting outcomes", shown=self.output.shows_progress):
                plan = await bulk.plan(self.action, chosen, **options)
            show = partial(print_plan, plan)
            return deliver(plan.report, self.output, show=show, write=plan.write)
        options.update(self._more)
        run = bulk.stream(self.action, chosen, dry_run=True, **options)
        with busy("predicting outcomes", shown=self.output.shows_progress):
            await run.run()
        show = partial(print_prediction, run.report, run.waves)
        return deliver(run.report, self.output, show=show)

    @property
    def _more(self) -> StreamOptions[App]:
        """The options of this action alone. Raises InvalidInputError."""
        given = self.how.given()
        if isinstance(self.how, ScaleFlags):
            return {"scale": self.how.scale()}
        more = cast("StreamOptions[App]", given)
        check_how(more)
        return more

    def _go_on(self, report: Path | None) -> str | None:
        """Return the command that continues the run, from the journal or else from a report.

        There is none for an embedded sandbox, because it ends with the run.
        """
        if self.target.sandbox is not None:
            return None
        flags = (self.wait, self.waves, self.target)
        how = [*self.how.typed(), *(word for one in flags for word in option_words(one))]
        if self.journal.journal is None:
            return None if report is None else command(self.action, f"@{report}", *how)
        groups = (self.selection, self.run, replace(self.journal, resume=True), self.output)
        words = ("-" if word == STDIN else word for word in self.words)
        options = (word for group in groups for word in option_words(group))
        return command(self.action, *words, *how, *options)
