"""Waves of whole foundations: one first, for example, and the others when it did well."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence

import anyio

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.text import counted
from aioappsapi.bulk.shares import is_reached
from aioappsapi.bulk.windows.wave_plan import numbered
from aioappsapi.bulk.windows.wave_rules import ByLists
from aioappsapi.bulk.windows.wave_rules import Member as Named
from aioappsapi.bulk.windows.waves import Wave, Waves
from aioappsapi.errors import InvalidInputError
from aioappsapi.fleet.member import Member


def check_target_waves(how: Waves, names: Iterable[str]) -> None:
    """Refuse waves that foundations cannot have, and names of none. Raises InvalidInputError."""
    if how.reads:
        raise InvalidInputError(
            f"target_waves={how}: foundations go by lists of their names, a canary or a ramp."
        )
    if isinstance(how.rule, ByLists):
        known = set(names)
        unknown = [name for one in how.rule.lists for name in one if name not in known]
        if unknown:
            raise InvalidInputError(f"target_waves: the fleet has no {', '.join(unknown)}.")


class TargetWaves:
    """The waves of one run over several foundations; the keys of each `Wave` are their names.

    A wave did well when at least the share `proceed_at` of its apps is in the requested state, and
    of its foundations could be used.
    """

    def __init__(self, how: Waves, members: Sequence[Member[object]], action: str) -> None:
        self.present: Wave | None = None
        self.pause_ends: float | None = None  # by the loop's clock
        self._how = how
        self._members: Mapping[str, Member[object]] = {one.name: one for one in members}
        named = how.split([Named(key=name) for name in self._members], action)
        self.waves: Sequence[Wave] = numbered([one for one in named if one[1]])
        self._between = anyio.CancelScope()

    async def why_not(self, wave: Wave, ends_at: float) -> tuple[str | None, float]:
        """Wait until a wave may begin. Return why it may not, and how long a person was asked."""
        if (reason := self._too_little()) is not None:
            return reason, 0.0
        asked = 0.0
        with self._between:
            if self.present is not None:
                self._between.deadline = ends_at
                await self._pause()
                self._between.deadline = float("inf")
            began = loop_time()
            approved = await self._is_approved(wave)
            asked = loop_time() - began
            if not approved:
                return f"{wave} was not approved", asked
        if loop_time() >= ends_at + asked:
            return "the deadline came first", asked
        self.present = wave
        return None, asked

    def stop(self) -> None:
        """End a pause or a question."""
        self._between.cancel()

    def too_many_failures(self) -> str | None:
        """Return why the failures of the present wave end the run; None if they do not."""
        if (wave := self.present) is None:
            return None
        runs = [one.run for one in self._of(wave) if one.run is not None]
        failures = sum(run.failures for run in runs)
        if not is_reached(self._how.max_failures, failures, sum(run.known for run in runs)):
            return None
        limit = self._how.max_failures
        return f"{counted(failures, 'app')} of {wave} failed, and max_failures={limit} ends it"

    def number(self, member: Member[object]) -> int | None:
        """Return the number of the wave of a foundation."""
        return next((one.number for one in self.waves if member.name in one.keys), None)

    def _of(self, wave: Wave) -> list[Member[object]]:
        return [self._members[name] for name in wave.keys]

    async def _pause(self) -> None:
        self.pause_ends = loop_time() + self._how.pause
        try:
            await anyio.sleep(self._how.pause)
        finally:
            self.pause_ends = None

    async def _is_approved(self, wave: Wave) -> bool:
        if self._how.approve is None:
            return True
        answer = self._how.approve(wave)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    def _too_little(self) -> str | None:
        """Return why the wave that just ended stops the run; None if it does not."""
        if (wave := self.present) is None:
            return None
        members, share = self._of(wave), self._how.proceed_at
        usable = sum(one.error is None for one in members)
        if usable < share * len(members):
            return f"{counted(len(members) - usable, 'target')} of {wave} could not be used"
        counts = [one.run.counts for one in members if one.run is not None]
        apps = sum(one.total() for one in counts)
        done = sum(one[Status.OK] + one[Status.ALREADY] for one in counts)
        if done >= share * apps:
            return None
        return (
            f"{wave} ended with {done:,} of {counted(apps, 'app')} in the requested state, and the "
            f"next one needs {share:.0%}"
        )
