"""Text for people: harmless names, numbers with their nouns, durations."""

from __future__ import annotations

import re
from typing import Final

# Control characters, line and paragraph separators, marks that reverse the writing direction,
# surrogates and noncharacters. XML forbids most of them, and some control a terminal.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""Return a text as one harmless line: an escape character becomes ``\x1b``, and so on."""
    return _UNPRINTABLE.sub(_escape, text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 app``, ``2 apps``, ``1,000 apps``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def span(seconds: float) -> str:
    """Return a duration for people: ``0.42 s``, ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 119.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
