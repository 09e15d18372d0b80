"""Names of apps, and the apps that they select. Pure: it gets the listed apps.

A name is exact (``web``, or ``org/space/app``) and stands for one app, or it is a glob
(``web-*``, ``acme/prod/*``) and stands for all apps that match.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

_GLOB: Final = re.compile(r"[*?\[]")
_FEW: Final = 5
_LONGEST: Final = 80


class UnknownNameError(InvalidInputError):
    """No app has a name; `why` says so without advice that fits only selections."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why} Nothing was sent. Correct the name, or give skip_unknown=True to leave such "
            "names out."
        )
        self.why = why


def is_glob(name: str) -> bool:
    """Check whether a name stands for all apps that match it."""
    return _GLOB.search(name) is not None


def path_of(app: App) -> str:
    """Return ``org/space/app``, as far as space and organization were included."""
    places = (app.included_organization, app.included_space)
    return "/".join([*(one.name for one in places if one), app.name])


def matches(name: str, path: str, globs: Iterable[str]) -> bool:
    """Check whether a name, or its path where the glob has a slash, matches one of some globs."""
    return any(
        fnmatch.fnmatchcase(name, glob) or ("/" in glob and fnmatch.fnmatchcase(path, glob))
        for glob in globs
    )


def asked_for(names: Iterable[str]) -> list[str]:
    """Return the names for the server's filter. A path may also be the name of an app."""
    parts = {part for name in names for part in (name, name.split("/", 2)[-1])}
    return sorted(part for part in parts if part and "," not in part)


def called(word: str, apps: Iterable[App]) -> list[App]:
    """Return the apps of an exact name: those with this name, otherwise with this path."""
    listed = list(apps)
    exact = [app for app in listed if app.name == word]
    return exact or [app for app in listed if _is_path(word, app)]


def _is_path(word: str, app: App) -> bool:
    """Compare a path; the server ignores the case of the names of spaces and organizations."""
    *places, name = path_of(app).split("/", 2)
    *typed, last = word.split("/", 2)
    return len(typed) == 2 and last == name and _lower(typed) == _lower(places)


def _lower(names: Iterable[str]) -> list[str]:
    return [name.lower() for name in names]


def not_found(*unknown: str) -> str:
    """Return the message that no app has these names or GUIDs."""
    return f"No app that this login can see is called {_few(map(_quoted, unknown))}."


def unknown_error(unknown: Sequence[str], visible: Iterable[App]) -> UnknownNameError:
    """Return the error for names that no app has, with similar names."""
    return UnknownNameError(f"{not_found(*unknown)}{_nearest(unknown[0], visible)}")


def _nearest(word: str, visible: Iterable[App]) -> str:
    apps = list(visible)
    by_name = {app.name: app for app in apps} | {path_of(app): app for app in apps}
    close = difflib.get_close_matches(word, by_name, n=3)
    paths = dict.fromkeys(path_of(by_name[name]) for name in close)
    return f" Did you mean {' or '.join(paths)}?" if paths else ""


def refuse_ambiguous(found: Mapping[str, Sequence[App]]) -> None:
    """Raise InvalidInputError for a name that several apps have, with the path of each."""
    twice = {name: apps for name, apps in found.items() if len(apps) > 1}
    if not twice:
        return
    name, apps = next(iter(twice.items()))
    more = f" So are {len(twice) - 1} more names." if len(twice) > 1 else ""
    raise InvalidInputError(
        f"{len(apps)} apps are called {name!r}: {_few(path_of(app) for app in apps)}.{more} "
        "Nothing was sent. Give org/space/app, or the GUID."
    )


def _quoted(word: str) -> str:
    # A line of another file may be very long.
    return repr(word if len(word) <= _LONGEST else word[: _LONGEST - 1] + "…")


def _few(words: Iterable[str]) -> str:
    every = list(words)
    more = len(every) - _FEW
    return ", ".join(every[:_FEW]) + (f" and {more} more" if more > 0 else "")
