"""Finds the apps of a selection, with few requests."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi._http.call import Caller
from aioappsapi.api.apps import Apps
from aioappsapi.api.droplets import Droplets
from aioappsapi.api.organizations import Organizations
from aioappsapi.api.spaces import Spaces
from aioappsapi.bulk.selection.criteria import Criteria
from aioappsapi.bulk.selection.names import (
    asked_for,
    called,
    is_glob,
    matches,
    not_found,
    path_of,
    refuse_ambiguous,
    unknown_error,
)
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

log = logging.getLogger("aioappsapi")

_PLACES: Final = ("space.organization",)


async def find(caller: Caller, names: Sequence[str], *, skip_unknown: bool) -> dict[str, App]:
    """Return the one app of each exact name; a name is not a glob here."""
    return await _Selector(caller, Criteria(skip_unknown=skip_unknown)).by_name(names)


async def select(caller: Caller, criteria: Criteria) -> list[App]:
    """Return the apps of a selection: first those of exact names, then by age."""
    return await _Selector(caller, criteria).apps()


class _Selector:
    """One selection. Spaces and organizations are read once, and apps are listed at most twice."""

    def __init__(self, caller: Caller, criteria: Criteria) -> None:
        self._caller = caller
        self._criteria = criteria
        self._organizations: list[str] | None = None
        self._spaces: list[str] | None = None

    async def apps(self) -> list[App]:
        await self._find_places()
        names = self._criteria.names
        globs = [name for name in names if is_glob(name)]
        exact = [name for name in names if not is_glob(name)]
        every = await self._list() if globs or not exact else None
        chosen = [*(await self.by_name(exact, every)).values()]
        chosen += [
            app for app in every or () if not names or matches(app.name, path_of(app), globs)
        ]
        distinct = {app.guid: app for app in chosen}.values()
        return await self._old_enough([app for app in distinct if self._is_selected(app)])

    async def by_name(
        self, names: Sequence[str], every: Sequence[App] | None = None
    ) -> dict[str, App]:
        """Find apps by exact names, in the list of the selection if it was read already."""
        if not names:
            return {}
        listed = await self._list(asked_for(names)) if every is None else every
        found = {name: called(name, listed) for name in names}
        if unknown := [name for name in names if not found[name]]:
            # The server's filter does not accept a name with a comma; and similar names are shown.
            visible = await self._list() if every is None else every
            found |= {name: called(name, visible) for name in unknown}
            self._refuse([name for name in unknown if not found[name]], visible)
        refuse_ambiguous(found)
        return {name: apps[0] for name, apps in found.items() if apps}

    def _refuse(self, unknown: Sequence[str], visible: Sequence[App]) -> None:
        if unknown and not self._criteria.skip_unknown:
            raise unknown_error(unknown, visible)
        if unknown:
            log.warning("%s: skipped", not_found(*unknown).removesuffix("."))

    def _is_selected(self, app: App) -> bool:
        # The server has no filter by state.
        if self._criteria.state not in {None, app.state}:
            return False
        return not matches(app.name, path_of(app), self._criteria.exclude)

    async def _list(self, names: Sequence[str] | None = None) -> list[App]:
        criteria = self._criteria
        return await (
            Apps(self._caller)
            .list(
                names=names,
                space_guids=self._spaces,
                organization_guids=self._organizations if self._spaces is None else None,
                label_selector=criteria.label_selector,
                stacks=criteria.stack or None,
                lifecycle_type=criteria.lifecycle,
                order_by="created_at",
                include=_PLACES,
                per_page=LARGEST_PAGE,
            )
            .all()
        )

    async def _find_places(self) -> None:
        organizations, spaces = self._criteria.organizations, self._criteria.spaces
        if organizations:
            found = await Organizations(self._caller).list(names=organizations).all()
            _check_all_found("organization", organizations, {one.name for one in found})
            self._organizations = [one.guid for one in found]
        if spaces:
            pager = Spaces(self._caller).list(names=spaces, organization_guids=self._organizations)
            places = await pager.all()
            _check_all_found("space", spaces, {one.name for one in places})
            self._spaces = [one.guid for one in places]

    async def _old_enough(self, apps: list[App]) -> list[App]:
        if (before := self._criteria.droplets_before) is None:
            return apps
        old = await self._droplets_before(before, [guid for app in apps if (guid := _droplet(app))])
        return [app for app in apps if _droplet(app) in old]

    async def _droplets_before(self, before: datetime, guids: Sequence[str]) -> set[str]:
        droplets = Droplets(self._caller).list(guids=guids, per_page=LARGEST_PAGE)
        return {one.guid async for one in droplets if one.created_at and one.created_at < before}


def _droplet(app: App) -> str | None:
    current = app.relationships.current_droplet
    return None if current is None else current.guid


def _check_all_found(kind: str, names: Sequence[str], found: set[str]) -> None:
    lower = {name.lower() for name in found}
    missing = [repr(name) for name in names if name.lower() not in lower]
    if missing:
        raise InvalidInputError(
            f"No {kind} {', '.join(missing)} is visible with this login: check the name."
        )
