"""Which apps: from arguments, standard input and files, or from selectors."""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final

from aioappsapi.bulk.reports.report import Report
from aioappsapi.cli.console import say
from aioappsapi.cli.options import Selectors
from aioappsapi.client import Client
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GLOB: Final = re.compile(r"[*?\[]")


def checked_words(words: Sequence[str], selectors: Selectors) -> list[str]:
    """Check what can be checked before anybody is asked, and read files and standard input.

    Raises InvalidInputError.
    """
    if words and selectors:
        raise InvalidInputError("Give either apps or selectors like --org and --all, not both.")
    if not words and not selectors:
        raise InvalidInputError(
            "No apps: give GUIDs or names, - for standard input, @FILE, or selectors like --all."
        )
    read = read_words(words)
    if words and not read:
        raise InvalidInputError("No app was given.")
    return read


async def select(client: Client, words: Sequence[str], selectors: Selectors) -> list[str | App]:
    """Find the apps that were asked for. Raises InvalidInputError if there are none."""
    if words:
        found = await _by_name(client, words)
        _say_unknown(found)
        kept = [one for one in found if not _matches(_name(one), selectors.exclude)]
    else:
        kept = [app async for app in listed(client, selectors)]
    if not kept:
        raise InvalidInputError("No app matches the selection; nothing was done.")
    return kept


def _say_unknown(found: Iterable[str | App]) -> None:
    """Tell of names that no app has; their outcomes only say that they are no GUIDs."""
    unknown = [one for one in found if isinstance(one, str) and not _GUID.fullmatch(one)]
    if unknown:
        few = ", ".join(map(repr, unknown[:5])) + (" and more" if len(unknown) > 5 else "")
        say(f"no app that this login sees is called {few}")


def _name(one: str | App) -> str:
    return one.name if isinstance(one, App) else one


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def read_words(words: Sequence[str]) -> list[str]:
    """Put in what ``-`` and ``@FILE`` stand for, and drop doubles.

    A file has a GUID or a name a line, with ``#`` for remarks; a report (.json, .jsonl) stands for
    its apps that are not as asked. Raises InvalidInputError if it cannot be read.
    """
    found: list[str] = []
    for word in words:
        if word == "-":
            found += _lines(sys.stdin.read())
        elif word.startswith("@"):
            found += _from_file(Path(word[1:]))
        else:
            found.append(word)
    return list(dict.fromkeys(found))


def _lines(text: str) -> list[str]:
    bare = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in bare if line]


def _from_file(path: Path) -> list[str]:
    try:
        if path.suffix in {".json", ".jsonl"}:
            return Report.load(path).failed_keys()
        return _lines(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise InvalidInputError(f"{path} cannot be read: {cause.strerror or cause}.") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path} is not a text with a GUID or a name a line.") from None


async def _by_name(client: Client, words: Sequence[str]) -> list[str | App]:
    """Turn names into apps. What no app is called stays: the server's answer says so."""
    names = [word for word in words if not _GUID.fullmatch(word) and "," not in word]
    called: dict[str, list[App]] = {}
    if names:
        async for app in client.apps.list(names=names, per_page=5000):
            called.setdefault(app.name, []).append(app)
    for name, apps in called.items():
        if len(apps) > 1:
            guids = ", ".join(app.guid for app in apps[:5])
            raise InvalidInputError(
                f"{len(apps)} apps are called {name!r} ({guids}): give the GUID, or --name with "
                "--org and --space."
            )
    return [called[word][0] if word in called else word for word in words]


async def one_app(client: Client, word: str) -> str:
    """Find the GUID of the one app that a GUID or a name stands for. Raises InvalidInputError."""
    [one] = await _by_name(client, [word])
    if isinstance(one, App):
        return one.guid
    if not _GUID.fullmatch(word):
        raise InvalidInputError(f"No app {word!r} is visible with this login: check the name.")
    return word


async def listed(
    client: Client, selectors: Selectors, *, include: Sequence[str] | None = None
) -> AsyncIterator[App]:
    """List the apps that are selected. Raises InvalidInputError for an unknown place."""
    organizations = await _organization_guids(client, selectors.organizations)
    spaces = await _space_guids(client, selectors.spaces, organizations)
    plain = [name for name in selectors.names if not _GLOB.search(name) and "," not in name]
    exact = plain if plain and len(plain) == len(selectors.names) else None
    pager = client.apps.list(
        names=exact,
        space_guids=spaces,
        organization_guids=organizations if spaces is None else None,
        label_selector=selectors.label_selector,
        stacks=selectors.stacks or None,
        lifecycle_type=selectors.lifecycle,
        order_by="created_at",
        include=include,
        per_page=1000,
    )
    async for app in pager:
        if _wanted(app, selectors):
            yield app


def _wanted(app: App, selectors: Selectors) -> bool:
    # The server knows no filter by state, and no globs.
    if selectors.state is not None and app.state != selectors.state:
        return False
    called = not selectors.names or _matches(app.name, selectors.names)
    return called and not _matches(app.name, selectors.exclude)


async def _organization_guids(client: Client, names: Sequence[str]) -> list[str] | None:
    if not names:
        return None
    found = await client.organizations.list(names=names).all()
    _all_found("organization", names, {organization.name for organization in found})
    return [organization.guid for organization in found]


async def _space_guids(
    client: Client, names: Sequence[str], organizations: list[str] | None
) -> list[str] | None:
    if not names:
        return None
    found = await client.spaces.list(names=names, organization_guids=organizations).all()
    _all_found("space", names, {space.name for space in found})
    return [space.guid for space in found]


def _all_found(kind: str, names: Sequence[str], found: set[str]) -> None:
    lower = {name.lower() for name in found}
    missing = [repr(name) for name in names if name.lower() not in lower]
    if missing:
        raise InvalidInputError(
            f"No {kind} {', '.join(missing)} is visible with this login: check the name."
        )
