"""How many repetitions a client can afford, so that it does not hammer a server that is dying."""

from __future__ import annotations

from typing import Final

# What a repetition costs; a success pays 1, so one request in eleven may be one for ever.
# Counted in tenths, which add up exactly.
_COST: Final = 10


class RetryBudget:
    """A bucket of tokens, shared by all calls of a client.

    A repetition takes one, a success at the first try pays a tenth of one back. A few failures
    never empty it; a server that answers nothing but failures does, and then failures are final
    until successes come again.
    """

    def __init__(self, size: float) -> None:
        self._size = int(size * _COST)
        self._left = self._size

    @property
    def left(self) -> float:
        """How many repetitions can be afforded."""
        return self._left / _COST

    def take(self) -> bool:
        """Take a token for a repetition; false if there is none."""
        if self._left < _COST:
            return False
        self._left -= _COST
        return True

    def pay(self) -> None:
        """Pay for a success."""
        if self._left < self._size:
            self._left += 1
