"""Text from elsewhere, made harmless for wherever people read it."""

from __future__ import annotations

import re
from typing import Final

# Controls, line and paragraph separators, what turns the direction of writing around, halves of
# characters, and what is none: no XML may hold most of them, and a terminal obeys some.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""Give a text on one line, with ``\x1b`` in place of an escape and so on."""
    return _UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
