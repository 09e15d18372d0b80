"""How a bulk run goes."""

from __future__ import annotations

from typing import Final

import msgspec

from aioappsapi.config import startup_timeout
from aioappsapi.errors import InvalidInputError
from aioappsapi.waiting.assess import Wait, check_wait

_MOST_WORKERS: Final = 10_000


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise InvalidInputError(what)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a run goes; see `RunOptions`. `startup_timeout` of None: as `CF_STARTUP_TIMEOUT` has it.

    Raises InvalidInputError for a value that cannot be one.
    """

    concurrency: int = 50
    deadline: float | None = None
    max_failures: int | float | None = None
    wait: Wait = "none"
    startup_timeout: float | None = None
    crash_grace: float = 30.0
    skip_unchanged: bool = True
    max_starting: int | None = None
    max_starting_mb: int | None = None

    def __post_init__(self) -> None:
        workers: object = self.concurrency
        _require(
            type(workers) is int and 1 <= workers <= _MOST_WORKERS,
            f"concurrency={workers!r}: 1 to {_MOST_WORKERS}.",
        )
        for name in ("deadline", "startup_timeout"):
            seconds = getattr(self, name)
            _require(
                seconds is None or (isinstance(seconds, int | float) and seconds > 0),
                f"{name}={seconds!r}: seconds > 0.",
            )
        limit = self.max_failures
        _require(
            limit is None or (limit > 0 and not (isinstance(limit, float) and limit >= 1)),
            f"max_failures={limit}: a count of 1 or more, or a share like 0.1.",
        )
        check_wait(self.wait)
        if self.wait != "none":
            _ = self.patience  # refused now, not in the middle of the run
        _require(self.crash_grace >= 0, f"crash_grace={self.crash_grace}: seconds >= 0.")
        self._check_herd()
        if self.wait != "none" and self.startup_timeout is None:
            startup_timeout()  # a variable that holds no time is found now, not half way

    def _check_herd(self) -> None:
        for name in ("max_starting", "max_starting_mb"):
            bound = getattr(self, name)
            _require(
                bound is None or (isinstance(bound, int) and bound >= 1),
                f"{name}={bound!r}: at least 1.",
            )
            _require(
                bound is None or self.wait != "none",
                f"{name}={bound} holds starts back until others have come up, so somebody has to "
                "look: give wait='all', or 'any', or 'routable'.",
            )

    @property
    def is_bounded(self) -> bool:
        """Whether starts are held back while many instances are starting."""
        return self.max_starting is not None or self.max_starting_mb is not None

    @property
    def patience(self) -> float:
        """How many seconds an app has from its acceptance until it is as asked."""
        return startup_timeout() if self.startup_timeout is None else self.startup_timeout

    def enough(self, failures: int, apps: int) -> str | None:
        """Say why so many failures among so many apps end the run; None if they do not."""
        limit = self.max_failures
        if limit is None:
            return None
        allowed = limit if isinstance(limit, int) else max(1.0, limit * apps)
        if failures < allowed:
            return None
        return f"{failures} apps failed, which is as many as max_failures={limit} allows"
