"""The selection of apps: from arguments, standard input and files, or by selectors."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from aioappsapi import App, Client, Outcome, Report
from aioappsapi.bulk.selection.names import UnknownNameError, matches, path_of
from aioappsapi.cli.console import say
from aioappsapi.cli.flags import STDIN, Selection
from aioappsapi.errors import InvalidInputError

GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REPORTS: Final = frozenset({".json", ".jsonl"})


@dataclass(frozen=True)
class Given:
    """The apps in the arguments: GUIDs and names, and the files that contain them.

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
                    "Nothing was sent. Give --force to use its apps here anyway."
                )


def read_given(words: Sequence[str], selection: Selection) -> Given:
    """Read the arguments and their files, before a connection is made.

    A file has one GUID or name per line, and comments after ``#``. A report (.json, .jsonl) stands
    for its apps that are not in the requested state. Raises InvalidInputError if there is no app,
    or a file cannot be read.
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


# -- requests


Key = str | App | Outcome[object]


async def select(client: Client, given: Given, selection: Selection) -> list[Key]:
    """Find the apps. Raises InvalidInputError if there are none."""
    if given.words:
        # The keys of an earlier report are known, in any form.
        new = [word for word in given.words if word not in given.outcomes]
        found = await find_apps(client, new, skip_unknown=selection.skip_unknown)
        keys: list[Key] = [*given.outcomes.values(), *found]
        kept = [one for one in keys if not is_excluded(one, selection)]
    else:
        kept = [*await selected(client, selection)]
    if not kept:
        raise InvalidInputError("No app matches the selection; nothing was sent.")
    return kept


async def find_apps(
    client: Client, words: Sequence[str], *, skip_unknown: bool = False
) -> list[str | App]:
    """Turn names into apps, in order; GUIDs stay as they are. Errors are those of `bulk.find`."""
    names = [word for word in words if not GUID.fullmatch(word)]
    found = await client.bulk.find(names, skip_unknown=skip_unknown)
    kept = [word for word in words if word in found or GUID.fullmatch(word)]
    return [found.get(word, word) for word in kept]


async def one_app(client: Client, word: str) -> str:
    """Find the GUID of the one app that a word stands for. Raises InvalidInputError."""
    try:
        [one] = await find_apps(client, [word])
    except UnknownNameError as unknown:
        raise InvalidInputError(unknown.why) from None
    return one if isinstance(one, str) else one.guid


async def selected(client: Client, selection: Selection) -> list[App]:
    """Return the apps that the selectors select. Errors are those of `bulk.select`."""
    days = selection.droplet_older_than
    return await client.bulk.select(
        organizations=selection.organizations,
        spaces=selection.spaces,
        names=selection.names,
        label_selector=selection.label_selector,
        stack=selection.stacks,
        state=selection.state,
        lifecycle=selection.lifecycle,
        exclude=selection.exclude,
        droplet_older_than=None if days is None else timedelta(seconds=days),
        skip_unknown=selection.skip_unknown,
    )


def is_excluded(one: Key, selection: Selection) -> bool:
    """Check whether an app is left out by its name."""
    if isinstance(one, str):
        return matches(one, one, selection.exclude)
    path = one.label if isinstance(one, Outcome) else path_of(one)
    return matches(one.name or path, path, selection.exclude)
