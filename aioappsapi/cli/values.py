"""Typed values: durations, shares, counts and choices.

Each parser raises ValueError with a sentence that describes a good value. The converters
are the same for cyclopts, which calls them with a type and the tokens of one option.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"\d+(?:\.\d+)?"
_PLAIN = re.compile(_NUMBER)
_WITH_UNITS = re.compile("".join(rf"(?:({_NUMBER}){unit})?" for unit in _UNITS))
_SHARE = re.compile(rf"({_NUMBER})\s*%")


class _Token(Protocol):
    @property
    def value(self) -> str: ...


Converter = Callable[[object, Sequence[_Token]], T]


def _converter(parse: Callable[[str], T]) -> Converter[T]:
    def convert(kind: object, tokens: Sequence[_Token]) -> T:
        del kind
        return parse(tokens[0].value)

    return convert


def parse_duration(text: str, *, zero: bool = False) -> float:
    """Read a duration in seconds: ``90``, ``90s``, ``5m``, ``1h30m``."""
    seconds = _seconds(text.strip().lower())
    if seconds is None:
        raise ValueError(f"{text!r} is not a duration. Write seconds or units: 90, 90s, 5m, 1h30m.")
    if seconds == 0 and not zero:
        raise ValueError(f"{text!r} is too short. Give more than 0 seconds.")
    return seconds


def _seconds(text: str) -> float | None:
    if _PLAIN.fullmatch(text):
        return float(text)
    if text and (found := _WITH_UNITS.fullmatch(text)):
        parts = zip(found.groups(), _UNITS.values(), strict=True)
        return sum(float(number) * unit for number, unit in parts if number)
    return None


def parse_count_or_share(text: str) -> int | float:
    """Read a count as an int, or a share as a float below 1: ``5``, ``20%``, ``0.2``."""
    plain = text.strip()
    if plain.isdecimal() and int(plain) > 0:
        return int(plain)
    percent = _SHARE.fullmatch(plain)
    try:
        share = float(percent[1]) / 100 if percent else float(plain)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise ValueError(f"{text!r} is neither a count nor a share. Write 5, 20% or 0.2.")
    return share


def parse_count(text: str, least: int, most: int | None) -> int:
    """Read a whole number within bounds."""
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number.") from None
    if number < least or (most is not None and number > most):
        bounds = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{number} is out of range. Give {bounds}.")
    return number


def parse_choice(text: str, choices: Sequence[str]) -> str:
    """Read one of a few words; upper and lower case are the same."""
    for one in choices:
        if one.lower() == text.lower():
            return one
    raise ValueError(f"{text!r} is not one of {', '.join(choices)}.{did_you_mean(text, choices)}")


def did_you_mean(text: str, names: Sequence[str]) -> str:
    """Name the closest of some names, as a sentence to append; empty if none is close."""
    close = difflib.get_close_matches(text, names, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def parse_percentages(text: str) -> tuple[int, ...]:
    """Read rising shares in percent: ``10,50``."""
    try:
        shares = tuple(int(one.strip().removesuffix("%")) for one in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r} are not percentages. Write them as 10,50.") from None
    if list(shares) != sorted(set(shares)) or not 1 <= shares[0] <= shares[-1] <= 100:
        raise ValueError(f"{text!r} do not rise from 1 to 100. Write them as 10,50.")
    return shares


def parse_share(text: str) -> float:
    """Read a share from 0 to 1: ``90%``, ``0.9``, ``100%``."""
    percent = _SHARE.fullmatch(text.strip())
    try:
        number = float(percent[1]) / 100 if percent else float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError(f"{text!r} is not a share. Write 90% or 0.9.")
    return number


duration = _converter(parse_duration)
percentages = _converter(parse_percentages)
duration_or_zero = _converter(lambda text: parse_duration(text, zero=True))
count_or_share = _converter(parse_count_or_share)
share = _converter(parse_share)
checked = _converter


def count(least: int, most: int | None = None) -> Converter[int]:
    """Make the converter of a whole number within bounds."""
    return _converter(lambda text: parse_count(text, least, most))


def choice(*choices: str) -> Converter[str]:
    """Make the converter of one of a few words."""
    return _converter(lambda text: parse_choice(text, choices))
