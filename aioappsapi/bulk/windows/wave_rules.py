"""The rules by which apps are put into waves. Pure: they get the data of the apps.

A rule returns the waves in their order, each with its name, which may be empty, and its apps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from typing import Final, Literal, Protocol

import msgspec

from aioappsapi.bulk.shares import share_of
from aioappsapi.errors import InvalidInputError

Named = tuple[str, list[str]]
Values = Literal["label", "annotation", "space", "organization"]

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")


class Member(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The data of an app for rules. Unreadable data is None or empty."""

    key: str
    name: str | None = None
    space: str | None = None
    organization: str | None = None
    labels: dict[str, str | None] = {}
    annotations: dict[str, str | None] = {}

    @property
    def path(self) -> str:
        """``org/space/app``, as far as it is known; without a name the GUID."""
        parts = (self.organization, self.space, self.name or self.key)
        return "/".join(part for part in parts if part)


class Rule(Protocol):
    """Puts apps into waves."""

    @property
    def reads(self) -> bool:
        """Whether it needs more than GUIDs."""
        ...

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the waves of the apps, in order."""
        ...


class ByLists(msgspec.Struct, frozen=True):
    """Explicit lists. Apps of the run that are in no list come last."""

    lists: tuple[tuple[str, ...], ...]

    @property
    def reads(self) -> bool:
        """Whether it needs more than GUIDs."""
        return False

    def __str__(self) -> str:
        return f"in {len(self.lists)} lists"

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the lists, without the apps that the run does not have."""
        del action
        mine = [member.key for member in members]
        known = set(mine)
        waves: list[Named] = [("", [key for key in one if key in known]) for one in self.lists]
        listed = {key for one in self.lists for key in one}
        rest = [key for key in mine if key not in listed]
        return [*waves, ("in no list", rest)] if rest else waves


class ByValue(msgspec.Struct, frozen=True):
    """One wave per value. Numbers sort as numbers, and apps without a value come last.

    With a ``-`` before the key the order is reversed, as in the API's ``order_by``.
    """

    kind: Values
    key: str = ""

    @property
    def reads(self) -> bool:
        """Whether it needs more than GUIDs."""
        return True

    def __str__(self) -> str:
        return f"by {self.kind} {self.key}".rstrip()

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the apps of each value."""
        del action
        groups: dict[object, Named] = {}
        rest: list[str] = []
        value_of = self._value_of()
        for member in members:
            value = value_of(member)
            if value is None:
                rest.append(member.key)
            else:
                groups.setdefault(_rank(value), (value, []))[1].append(member.key)
        waves = [groups[rank] for rank in sorted(groups, reverse=self.key.startswith("-"))]  # type: ignore[type-var]
        return [*waves, (f"no {self.key.removeprefix('-') or self.kind}", rest)] if rest else waves

    def _value_of(self) -> Callable[[Member], str | None]:
        key = self.key.removeprefix("-")
        match self.kind:
            case "label":
                return lambda member: member.labels.get(key)
            case "annotation":
                return lambda member: member.annotations.get(key)
            case "organization":
                return lambda member: member.organization
            case _:
                return _place


def _place(member: Member) -> str | None:
    if member.space is None:
        return None
    return f"{member.organization}/{member.space}" if member.organization else member.space


def _rank(value: str) -> tuple[bool, Decimal, str]:
    """Return the sort key of a value; values that are the same number are equal."""
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return False, Decimal(text), ""
    return True, Decimal(), text


class ByNeeds(msgspec.Struct, frozen=True):
    """An annotation names the apps that an app needs, with commas between: they go first.

    For a stop they go last. A name stands for the app in the same space, else for the only one of
    the run. Apps outside the run count as started.
    """

    key: str

    @property
    def reads(self) -> bool:
        """Whether it needs more than GUIDs."""
        return True

    def __str__(self) -> str:
        return f"by needs {self.key}"

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the apps in layers. Raises InvalidInputError for a circle of needs."""
        found = _Names(members)
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for member in members:
            sorter.add(member.key, *found.all_of(member, self.key))
        try:
            sorter.prepare()
        except CycleError as circle:
            raise _circle_error(self.key, circle.args[1], members) from None
        place = {member.key: n for n, member in enumerate(members)}
        layers: list[Named] = []
        while sorter.is_active():
            ready = sorter.get_ready()
            layers.append(("", sorted(ready, key=place.__getitem__)))
            sorter.done(*ready)
        return layers[::-1] if action == "stop" else layers


class _Names:
    """The apps of a run by their possible names in an annotation."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._by_path: dict[str, Member] = {}
        self._by_name: dict[str, list[Member]] = {}
        for member in members:
            self._by_path[member.path] = member
            self._by_name.setdefault(member.name or member.key, []).append(member)

    def all_of(self, member: Member, key: str) -> Iterator[str]:
        """Yield the apps that an app needs. Raises InvalidInputError for a name of several."""
        for word in (member.annotations.get(key) or "").split(","):
            if (name := word.strip()) and (needed := self._find(member, name)) is not None:
                yield needed.key

    def _find(self, member: Member, name: str) -> Member | None:
        if (found := self._by_path.get(name)) is not None:
            return found
        named = self._by_name.get(name, [])
        here = [one for one in named if _place(one) == _place(member)]
        chosen = here or named
        if len(chosen) > 1:
            paths = ", ".join(one.path for one in chosen)
            raise InvalidInputError(
                f"{member.path} needs {name!r}, and {len(chosen)} apps of this run have that name: "
                f"{paths}. Write org/space/app in its annotation."
            )
        return chosen[0] if chosen else None


def _circle_error(key: str, circle: Sequence[str], members: Iterable[Member]) -> InvalidInputError:
    paths = {member.key: member.path for member in members}
    chain = " needs ".join(paths[one] for one in reversed(circle))
    return InvalidInputError(
        f"The annotation {key} leads in a circle: {chain}. Nothing was sent. Remove one of them."
    )


class Ramp(msgspec.Struct, frozen=True):
    """Waves that grow: 1, 2, 4, … apps."""

    first: int
    factor: float

    @property
    def reads(self) -> bool:
        """Whether it needs more than GUIDs."""
        return False

    def __str__(self) -> str:
        return f"ramp {self.first},{self.factor:g}"

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the apps in the order of the input."""
        del action
        waves: list[Named] = []
        size, at = float(self.first), 0
        while at < len(members):
            upto = at + int(size)
            waves.append(("", [member.key for member in members[at:upto]]))
            at, size = upto, size * self.factor
        return waves


class Canary(msgspec.Struct, frozen=True):
    """A few apps first, then all others. `few` is a count, or a share if it is a float."""

    few: int | float

    @property
    def reads(self) -> bool:
        """Whether it needs more than GUIDs."""
        return False

    def __str__(self) -> str:
        return f"canary {self.few}"

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the first apps of the input, and the rest."""
        del action
        keys = [member.key for member in members]
        few = self.few if isinstance(self.few, int) else math.ceil(share_of(self.few, len(keys)))
        waves: list[Named] = [("canary", keys[:few]), ("rest", keys[few:])]
        return [wave for wave in waves if wave[1]]
