"""Seeded random numbers: the same words give the same numbers, in any order of calls."""

from __future__ import annotations

import hashlib
import math
from typing import Final

_SCALE: Final = 2.0**-64


def rolls(*words: object, count: int) -> list[float]:
    """Return `count` numbers (up to 8) between 0 and 1 that belong to these words."""
    size = 8 * count
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=size).digest()
    return [int.from_bytes(digest[i : i + 8], "big") * _SCALE for i in range(0, size, 8)]


def stretched(mean: float, spread: float, roll: float) -> float:
    """Return a time with this mean; the part `spread` of it is exponential."""
    if not mean:
        return 0.0
    exponential = -math.log(1.0 - min(roll, 1.0 - 1e-12))
    return mean * (1.0 - spread + spread * exponential)
