"""Which apps of several targets: every target is asked, and one that fails holds up no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aioappsapi import App, AppsApiError, Client, Fleet, InvalidInputError, Outcome
from aioappsapi.bulk.selection.names import (
    UnknownNameError,
    asked_for,
    called,
    not_found,
    refuse_ambiguous,
)
from aioappsapi.cli.console import say
from aioappsapi.cli.flags import Selection
from aioappsapi.cli.selection import GUID, Given, is_excluded, selected

_PLACES: Final = ("space.organization",)
_PAGE: Final = 1000

Apps = Sequence[App | Outcome[object]]
# The apps of each target, or why they are not known.
Chosen = Mapping[str, Apps | AppsApiError]


async def select_at_all(fleet: Fleet, given: Given, selection: Selection) -> Chosen:
    """Find the apps of each target; targets without any are left out.

    Raises InvalidInputError if no target has any app, and for a name that no target knows; the
    first error if no target can be used.
    """
    reported = _reported(fleet, given)
    words = [word for word in given.words if word not in given.outcomes]
    seen: set[str] = set()

    async def at(client: Client) -> Apps:
        if not given.words:
            return await selected(client, selection)
        found = await _find(client, words)
        seen.update(found)
        apps = [*reported.get(client.api_url, ()), *found.values()]
        return [one for one in apps if not is_excluded(one, selection)]

    chosen = _without_refused(await fleet.each(at))
    _check_words([word for word in words if word not in seen], skip=selection.skip_unknown)
    if not count_apps(chosen):
        raise InvalidInputError("No app at any target matches the selection; nothing was sent.")
    return chosen


async def _find(client: Client, words: Sequence[str]) -> dict[str, App]:
    """Find the apps that live here by their GUID, name or path.

    Raises InvalidInputError for a name that several apps have.
    """
    guids = [word for word in words if GUID.fullmatch(word)]
    names = [word for word in words if not GUID.fullmatch(word)]
    by_guid, by_name = [], []
    if guids:
        by_guid = await client.apps.list(guids=guids, include=_PLACES, per_page=_PAGE).all()
    if names:
        asked = asked_for(names)
        by_name = await client.apps.list(names=asked, include=_PLACES, per_page=_PAGE).all()
    found = {name: called(name, by_name) for name in names}
    refuse_ambiguous(found)
    exact = {name: apps[0] for name, apps in found.items() if apps}
    return {app.guid: app for app in by_guid} | exact


def count_apps(chosen: Chosen) -> int:
    """Count the apps that are known."""
    return sum(len(one) for one in chosen.values() if not isinstance(one, AppsApiError))


def _reported(fleet: Fleet, given: Given) -> dict[str, list[Outcome[object]]]:
    """Return what is left of the reports by target. Raises InvalidInputError for another target."""
    known = {fleet[name].api_url for name in fleet}
    found: dict[str, list[Outcome[object]]] = {}
    for path, report in given.reports:
        for outcome in report.remaining:
            target = outcome.target or report.target or ""
            if target not in known:
                raise InvalidInputError(
                    f"{path} has apps of {target}, which is not one of the targets. "
                    "Nothing was sent. Name its target with --target."
                )
            found.setdefault(target, []).append(outcome)
    return found


def _without_refused(results: Mapping[str, Apps | AppsApiError]) -> Chosen:
    """Report targets that cannot be used, and leave out those that have nothing to select.

    Raises the first error if all of them failed.
    """
    failed = {name: one for name, one in results.items() if isinstance(one, AppsApiError)}
    if len(failed) == len(results):
        raise next(iter(failed.values()))
    for name, error in failed.items():
        say(f"{name}: {error}", "warning")
    # A selection that does not fit a target, such as an organization that it does not have.
    return {name: one for name, one in results.items() if one and not _does_not_fit(one)}


def _does_not_fit(one: object) -> bool:
    return isinstance(one, InvalidInputError)


def _check_words(unknown: Sequence[str], *, skip: bool) -> None:
    if unknown and not skip:
        raise UnknownNameError(not_found(*unknown))
    if unknown:
        say(f"{not_found(*unknown)[:-1]}: skipped", "warning")
