"""Waves: the apps of a run in groups. The next group begins only after enough successes.

`Waves` says how to make the groups and when to go on. The engine keeps the order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypedDict, Unpack

import msgspec

from aioappsapi.bulk.shares import FailureLimit, check_limit
from aioappsapi.bulk.windows.wave_rules import (
    ByLists,
    ByNeeds,
    ByValue,
    Canary,
    Member,
    Named,
    Ramp,
    Rule,
)
from aioappsapi.errors import InvalidInputError, refuse_unless

_MOST_FACTOR: Final = 1000


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """One wave of a run: its number from 1, of how many, its name or "", and its apps."""

    number: int
    of: int
    name: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        return f"wave {self.number} of {self.of}{name}"


Approve = Callable[[Wave], bool | Awaitable[bool]]


class WaveOptions(TypedDict, total=False):
    """When the next wave begins.

    A wave ends when each of its apps has an outcome, after the second round. Then at least the
    share `proceed_at` of them must be `ok` or `already`, else the run stops and the apps of later
    waves are `not_attempted`. So pass `wait` to see apps run before others follow. `max_failures`
    stops the run in the middle of a wave, after this number or share of failures.
    `pause` is in seconds, between two waves. `approve` is called with each `Wave` before it
    begins, and may be async; the run stops unless it returns true. A deadline does not count the
    time that it takes.
    """

    proceed_at: float
    max_failures: FailureLimit
    pause: float
    approve: Approve | None


class Waves:
    """The apps of a run in waves: ``bulk.restart(guids, waves=Waves.by_label("start-order"))``.

    ``Waves([[guid, …], …])`` takes lists of GUIDs. Apps of the run that are in no list come last.
    For the options see `WaveOptions`. Raises InvalidInputError for options that no run can have,
    and for a GUID in two lists.
    """

    __slots__ = ("approve", "max_failures", "pause", "proceed_at", "rule")

    def __init__(
        self, lists: Iterable[Iterable[str]] | Rule, **options: Unpack[WaveOptions]
    ) -> None:
        _check_names(options)
        self.rule = _lists(lists) if isinstance(lists, Iterable) else lists
        self.proceed_at = options.get("proceed_at", 1.0)
        self.max_failures = options.get("max_failures")
        self.pause = options.get("pause", 0.0)
        self.approve = options.get("approve")
        share = self.proceed_at
        refuse_unless(0 <= share <= 1, f"proceed_at={share!r}: a share from 0 to 1.")
        refuse_unless(self.pause >= 0, f"pause={self.pause!r}: seconds >= 0.")
        check_limit(self.max_failures)

    @classmethod
    def by_label(cls, key: str, **options: Unpack[WaveOptions]) -> Waves:
        """Make one wave per value of a label; ``-key`` reverses the order.

        Numbers sort as numbers, before other values. Apps without the label come last.
        """
        return cls(ByValue("label", _named(key)), **options)

    @classmethod
    def by_annotation(cls, key: str, **options: Unpack[WaveOptions]) -> Waves:
        """Make one wave per value of an annotation, in the order of `by_label`."""
        return cls(ByValue("annotation", _named(key)), **options)

    @classmethod
    def by_space(cls, **options: Unpack[WaveOptions]) -> Waves:
        """Make one wave per space, in the order of ``org/space``."""
        return cls(ByValue("space"), **options)

    @classmethod
    def by_organization(cls, **options: Unpack[WaveOptions]) -> Waves:
        """Make one wave per organization, in the order of their names."""
        return cls(ByValue("organization"), **options)

    @classmethod
    def by_needs(cls, key: str, **options: Unpack[WaveOptions]) -> Waves:
        """Put apps that others need first; for a stop, last.

        The annotation `key` of an app names the apps that it needs, with commas between. A circle
        is an InvalidInputError that shows it, before anything is sent.
        """
        return cls(ByNeeds(_named(key)), **options)

    @classmethod
    def ramp(cls, first: int = 1, factor: float = 2.0, **options: Unpack[WaveOptions]) -> Waves:
        """Make waves that grow by a factor: 1, 2, 4, … apps, in the order of the input."""
        refuse_unless(type(first) is int and first >= 1, f"first={first!r}: at least 1.")
        refuse_unless(1 <= factor <= _MOST_FACTOR, f"factor={factor!r}: from 1 to {_MOST_FACTOR}.")
        return cls(Ramp(first, float(factor)), **options)

    @classmethod
    def canary(cls, few: float | str, **options: Unpack[WaveOptions]) -> Waves:
        """Take a few apps first, a count or a share (``"5%"`` or ``0.05``), then all others."""
        return cls(Canary(_count_or_share(few)), **options)

    @property
    def reads(self) -> bool:
        """Whether labels, annotations or places of the apps have to be read before."""
        return self.rule.reads

    def split(self, members: Sequence[Member], action: str) -> list[Named]:
        """Return the waves of these apps: the name and the GUIDs of each."""
        return self.rule.split(members, action)

    def with_rule(self, rule: Rule) -> Waves:
        """Return waves of another rule with the same options."""
        return Waves(
            rule,
            proceed_at=self.proceed_at,
            max_failures=self.max_failures,
            pause=self.pause,
            approve=self.approve,
        )

    def without_stops(self) -> Waves:
        """Return these waves without pauses, approvals and limits, for a dry run."""
        return Waves(self.rule, proceed_at=0.0)

    def __str__(self) -> str:
        return str(self.rule)

    def __repr__(self) -> str:
        return f"<Waves {self}>"


def _check_names(options: WaveOptions) -> None:
    """Refuse an option that waves do not have. Raises TypeError."""
    known = sorted(WaveOptions.__optional_keys__)
    if unknown := sorted(options.keys() - set(known)):
        raise TypeError(f"Waves have no option {unknown[0]!r}. They have: {', '.join(known)}.")


def _lists(lists: Iterable[Iterable[str]]) -> ByLists:
    kept = tuple(tuple(dict.fromkeys(one)) for one in lists)
    seen: set[str] = set()
    for key in (key for one in kept for key in one):
        refuse_unless(key not in seen, f"{key} is in two waves. Put it into one of them.")
        seen.add(key)
    return ByLists(kept)


def _named(key: str) -> str:
    refuse_unless(bool(key.removeprefix("-").strip()), f"key={key!r}: the name of a label.")
    return key


def _count_or_share(few: float | str) -> int | float:
    number: int | float | None = None
    if isinstance(few, str):
        text = few.strip()
        try:
            number = float(text[:-1]) / 100 if text.endswith("%") else int(text)
        except ValueError:
            number = None
    elif type(few) in {int, float}:
        number = few
    good = number is not None and (number >= 1 if isinstance(number, int) else 0 < number < 1)
    if number is None or not good:
        raise InvalidInputError(f"canary({few!r}): a count of 1 or more, or a share like '5%'.")
    return number
