"""Plans the waves of a run: reads the data that their rule needs, and splits the apps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi._http.call import Caller
from aioappsapi.api.apps import Apps
from aioappsapi.bulk.actions.prefetch import fits_in_list
from aioappsapi.bulk.reports.outcome import Outcome, T_co
from aioappsapi.bulk.run.inputs import Inputs
from aioappsapi.bulk.windows.wave_rules import Member, Named
from aioappsapi.bulk.windows.waves import Wave, Waves
from aioappsapi.models.app import App


class WavePlanner:
    """Puts the apps of a run into waves: one request per 200 apps, or none if GUIDs are enough."""

    def __init__(self, waves: Waves, inputs: Inputs, caller: Caller, action: str) -> None:
        self.waves = waves
        self._inputs = inputs
        self._caller = caller
        self._action = action

    async def plan(self) -> list[Named]:
        """Return the waves, with all apps of the input.

        Raises AuthError, TransportError or ResponseError if the apps cannot be read, and
        InvalidInputError if they cannot be put into waves.
        """
        await self._inputs.read_all()
        keys = self._inputs.keys
        known = await self._read(keys) if self.waves.reads else {}
        members = [known.get(key) or Member(key=key) for key in keys]
        return self.waves.split(members, self._action)

    async def _read(self, keys: Sequence[str]) -> dict[str, Member]:
        listed = [key for key in keys if fits_in_list(key)]
        pager = Apps(self._caller).list(
            guids=listed, include=["space.organization"], per_page=LARGEST_PAGE
        )
        return {app.guid: _member(app) async for app in pager}


def _member(app: App) -> Member:
    return Member(
        key=app.guid,
        name=app.name,
        space=app.space.name if app.included_space else None,
        organization=app.organization.name if app.included_organization else None,
        labels=app.metadata.labels,
        annotations=app.metadata.annotations,
    )


def numbered(waves: Sequence[Named]) -> list[Wave]:
    """Return the waves that have apps, with their numbers."""
    return [
        Wave(number=number, of=len(waves), name=name, keys=tuple(keys))
        for number, (name, keys) in enumerate(waves, 1)
        if keys
    ]


def in_waves(outcomes: Iterable[Outcome[T_co]], waves: Sequence[Wave]) -> list[Outcome[T_co]]:
    """Return outcomes with the numbers of their waves."""
    numbers = {key: wave.number for wave in waves for key in wave.keys}
    if not numbers:
        return list(outcomes)
    return [msgspec.structs.replace(one, wave=numbers.get(one.key)) for one in outcomes]
