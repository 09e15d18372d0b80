"""Apps by what people call them: a GUID, a name, or ``org/space/app``."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Final

from aioappsapi import App, Client
from aioappsapi.cli.console import say
from aioappsapi.errors import InvalidInputError

GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PLACES: Final = ("space.organization",)
_PAGE: Final = 1000
_FEW: Final = 5


class UnknownNameError(InvalidInputError):
    """No app has a name; `why` says so without the way out that only runs have."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why} Nothing was sent. Correct the name, or leave such names out with "
            "--skip-unknown."
        )
        self.why = why


def label(app: App) -> str:
    """Return ``org/space/app``, as far as space and organization were included."""
    places = (app.included_organization, app.included_space)
    return "/".join([*(one.name for one in places if one), app.name])


def matches(name: str, path: str, globs: Iterable[str]) -> bool:
    """Check whether a name, or its path where the glob has a slash, matches one of some globs."""
    return any(
        fnmatch.fnmatchcase(name, glob) or ("/" in glob and fnmatch.fnmatchcase(path, glob))
        for glob in globs
    )


async def find_apps(
    client: Client, words: Sequence[str], *, skip_unknown: bool = False
) -> list[str | App]:
    """Turn names into apps, in order; GUIDs stay as they are.

    An exact name wins over a path. Raises InvalidInputError for a name that several apps have, and
    for one that no app has, unless `skip_unknown`: then a warning names it.
    """
    names = [word for word in words if not GUID.fullmatch(word)]
    called = await _by_name(client, names)
    if unknown := [name for name in names if not called[name]]:
        visible = [app async for app in client.apps.list(include=PLACES, per_page=_PAGE)]
        # The server cannot be asked for a name with a comma.
        called |= {name: _called(name, visible) for name in unknown}
        _refuse_unknown([name for name in unknown if not called[name]], visible, skip_unknown)
    _refuse_ambiguous(called)
    return [
        called[word][0] if word in called else word
        for word in words
        if word not in called or called[word]
    ]


async def find_at(client: Client, words: Sequence[str]) -> dict[str, App]:
    """Find the apps that are at one of several targets, by their GUID, name or path.

    Words of apps that live elsewhere are left out. Raises InvalidInputError for a name that
    several apps have.
    """
    guids = [word for word in words if GUID.fullmatch(word)]
    found = {}
    if guids:
        pager = client.apps.list(guids=guids, include=PLACES, per_page=_PAGE)
        found = {app.guid: app async for app in pager}
    called = await _by_name(client, [word for word in words if not GUID.fullmatch(word)])
    _refuse_ambiguous(called)
    return found | {name: apps[0] for name, apps in called.items() if apps}


async def one_app(client: Client, word: str) -> str:
    """Find the GUID of the one app that a word stands for. Raises InvalidInputError."""
    try:
        [one] = await find_apps(client, [word])
    except UnknownNameError as unknown:
        raise InvalidInputError(unknown.why) from None
    return one if isinstance(one, str) else one.guid


async def _by_name(client: Client, names: Sequence[str]) -> dict[str, list[App]]:
    asked = {part for name in names for part in (name, name.split("/", 2)[-1]) if part}
    asked = {name for name in asked if "," not in name}
    if not asked:
        return {name: [] for name in names}
    pager = client.apps.list(names=sorted(asked), include=PLACES, per_page=_PAGE)
    found: dict[str, list[App]] = {}
    async for app in pager:
        found.setdefault(app.name, []).append(app)
    return {
        name: found.get(name) or _called(name, found.get(name.split("/", 2)[-1], []))
        for name in names
    }


def _called(word: str, apps: Iterable[App]) -> list[App]:
    apps = list(apps)
    exact = [app for app in apps if app.name == word]
    return exact or [app for app in apps if _is_path(word, app)]


def _is_path(word: str, app: App) -> bool:
    """Compare a path; the server ignores the case of the names of spaces and organizations."""
    *places, name = label(app).split("/", 2)
    *typed, called = word.split("/", 2)
    return len(typed) == 2 and called == name and _lower(typed) == _lower(places)


def _lower(names: Iterable[str]) -> list[str]:
    return [name.lower() for name in names]


def _refuse_unknown(unknown: Sequence[str], visible: Sequence[App], skip: bool) -> None:
    """Name what no app is called. Raises InvalidInputError unless these words are skipped."""
    if not unknown:
        return
    if skip:
        say(f"{not_found(*unknown)[:-1]}: skipped", "warning")
        return
    raise UnknownNameError(f"{not_found(*unknown)}{_nearest(unknown[0], visible)}")


def not_found(*unknown: str) -> str:
    """Say that no app has these names or GUIDs: one message, whatever they look like."""
    return f"No app that this login can see is called {_few(map(repr, unknown))}."


def _nearest(word: str, visible: Sequence[App]) -> str:
    by_name = {app.name: app for app in visible} | {label(app): app for app in visible}
    close = difflib.get_close_matches(word, by_name, n=3)
    labels = dict.fromkeys(label(by_name[name]) for name in close)
    return f" Did you mean {' or '.join(labels)}?" if labels else ""


def _refuse_ambiguous(called: dict[str, list[App]]) -> None:
    twice = {name: apps for name, apps in called.items() if len(apps) > 1}
    if not twice:
        return
    name, apps = next(iter(twice.items()))
    more = f" So are {len(twice) - 1} more names." if len(twice) > 1 else ""
    raise InvalidInputError(
        f"{len(apps)} apps are called {name!r}: {_few(label(app) for app in apps)}.{more} "
        "Nothing was sent. Give org/space/app, or the GUID."
    )


def _few(words: Iterable[str]) -> str:
    every = list(words)
    more = len(every) - _FEW
    return ", ".join(every[:_FEW]) + (f" and {more} more" if more > 0 else "")
