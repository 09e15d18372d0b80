"""Which apps: from arguments, standard input and files, or by what they have in common."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aioappsapi import App, Client, Outcome, Report
from aioappsapi.cli.console import say
from aioappsapi.cli.flags import STDIN, Selection
from aioappsapi.cli.names import PLACES, find_apps, label, matches
from aioappsapi.errors import InvalidInputError

# Globs, lists and paths: the server can only be asked for plain names.
_NO_NAME: Final = re.compile(r"[*?\[,/]")
_REPORTS: Final = frozenset({".json", ".jsonl"})
_PAGE: Final = 1000


@dataclass(frozen=True)
class Given:
    """What the arguments name: GUIDs and names, and the files that they were read from.

    `outcomes` are those of reports by GUID. The next run gets them instead of bare GUIDs, because
    an app that was `unverified` has to be verified, although the server says that it is started.
    """

    words: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    reports: tuple[tuple[Path, Report[object]], ...] = ()
    outcomes: Mapping[str, Outcome[object]] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether reports were given and every app of them is in the requested state."""
        return bool(self.reports) and not self.words

    def check_target(self, target: str) -> None:
        """Refuse a report of another target. Raises InvalidInputError."""
        for path, report in self.reports:
            if report.targets != [target]:
                raise InvalidInputError(
                    f"{path} is a report of {report.place}, but the target is {target}. "
                    "Nothing was sent. Give --force to use its apps here all the same."
                )


def read_given(words: Sequence[str], selection: Selection) -> Given:
    """Read what stands behind the arguments, before a connection is made.

    A file has a GUID or a name a line, with ``#`` for comments. A report (.json, .jsonl) stands for
    its apps that are not in the requested state. Raises InvalidInputError if there is no app, or a
    file cannot be read.
    """
    if words and selection:
        raise InvalidInputError("Give either apps or selectors like --org and --all, not both.")
    if not words and not selection:
        raise InvalidInputError(
            "No apps: give GUIDs or names, - for standard input, @FILE, or selectors like --all."
        )
    given = _read(words)
    if words and not given.words and not given.reports:
        raise InvalidInputError("No app was given: the input names none.")
    return given


def _read(words: Sequence[str]) -> Given:
    found: list[str] = []
    files: list[Path] = []
    reports: list[tuple[Path, Report[object]]] = []
    outcomes: dict[str, Outcome[object]] = {}
    for word in words:
        path = Path(word[1:])
        if word == STDIN:
            found += _stdin_lines()
        elif not word.startswith("@"):
            found.append(word)
        elif word == "@":
            raise InvalidInputError("@ needs the name of a file right behind it, like @apps.txt.")
        elif path.suffix in _REPORTS:
            files.append(path)
            reports.append((path, load_report(path)))
            remaining = {outcome.key: outcome for outcome in reports[-1][1].remaining}
            found += remaining
            outcomes |= remaining
        else:
            files.append(path)
            found += _file_lines(path)
    return Given(tuple(dict.fromkeys(found)), tuple(files), tuple(reports), outcomes)


def load_report(path: Path) -> Report[object]:
    """Read a report. Raises InvalidInputError if it cannot be read, or is none."""
    try:
        return Report.load(path)
    except OSError as cause:
        raise InvalidInputError(f"{path} cannot be read: {cause.strerror or cause}.") from None


def _stdin_lines() -> list[str]:
    if sys.stdin is None or sys.stdin.closed:
        raise InvalidInputError("- reads standard input, but it is closed. Use a pipe or @FILE.")
    if sys.stdin.isatty():
        say("type a GUID or a name a line, then Ctrl-D")
    try:
        return _lines(sys.stdin.read())
    except OSError as cause:
        raise InvalidInputError(
            f"standard input cannot be read: {cause.strerror or cause}."
        ) from None
    except UnicodeDecodeError:
        raise InvalidInputError(
            "standard input is not a text with a GUID or a name a line."
        ) from None


def _file_lines(path: Path) -> list[str]:
    try:
        return _lines(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise InvalidInputError(f"{path} cannot be read: {cause.strerror or cause}.") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path} is not a text with a GUID or a name a line.") from None


def _lines(text: str) -> list[str]:
    bare = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in bare if line]


# -- asking the server


Key = str | App | Outcome[object]


async def select(client: Client, given: Given, selection: Selection) -> list[Key]:
    """Find the apps. Raises InvalidInputError if there are none."""
    if given.words:
        # What an earlier report has is known already, whatever it looks like.
        new = [word for word in given.words if word not in given.outcomes]
        found = await find_apps(client, new, skip_unknown=selection.skip_unknown)
        keys: list[Key] = [*given.outcomes.values(), *found]
        kept = [one for one in keys if not is_excluded(one, selection)]
    else:
        kept = [app async for app in listed(client, selection, include=PLACES)]
    if not kept:
        raise InvalidInputError("No app matches the selection; nothing was sent.")
    return kept


def is_excluded(one: Key, selection: Selection) -> bool:
    """Check whether an app is left out by its name."""
    if isinstance(one, str):
        return matches(one, one, selection.exclude)
    path = one.label if isinstance(one, Outcome) else label(one)
    return matches(one.name or path, path, selection.exclude)


async def listed(
    client: Client, selection: Selection, *, include: Sequence[str] | None = None
) -> AsyncIterator[App]:
    """List the apps that are selected. Raises InvalidInputError for an unknown place."""
    organizations = await _organization_guids(client, selection.organizations)
    spaces = await _space_guids(client, selection.spaces, organizations)
    plain = [name for name in selection.names if not _NO_NAME.search(name)]
    if any("/" in glob for glob in (*selection.names, *selection.exclude)):
        include = include or PLACES
    exact = plain if plain and len(plain) == len(selection.names) else None
    pager = client.apps.list(
        names=exact,
        space_guids=spaces,
        organization_guids=organizations if spaces is None else None,
        label_selector=selection.label_selector,
        stacks=selection.stacks or None,
        lifecycle_type=selection.lifecycle,
        order_by="created_at",
        include=include,
        per_page=_PAGE,
    )
    async for app in pager:
        if _is_selected(app, selection):
            yield app


def _is_selected(app: App, selection: Selection) -> bool:
    # The server has no filter by state, and knows no globs.
    if selection.state is not None and app.state != selection.state:
        return False
    path = label(app)
    called = not selection.names or matches(app.name, path, selection.names)
    return called and not matches(app.name, path, selection.exclude)


async def _organization_guids(client: Client, names: Sequence[str]) -> list[str] | None:
    if not names:
        return None
    found = await client.organizations.list(names=names).all()
    _check_all_found("organization", names, {organization.name for organization in found})
    return [organization.guid for organization in found]


async def _space_guids(
    client: Client, names: Sequence[str], organizations: list[str] | None
) -> list[str] | None:
    if not names:
        return None
    found = await client.spaces.list(names=names, organization_guids=organizations).all()
    _check_all_found("space", names, {space.name for space in found})
    return [space.guid for space in found]


def _check_all_found(kind: str, names: Sequence[str], found: set[str]) -> None:
    lower = {name.lower() for name in found}
    missing = [repr(name) for name in names if name.lower() not in lower]
    if missing:
        raise InvalidInputError(
            f"No {kind} {', '.join(missing)} is visible with this login: check the name."
        )
