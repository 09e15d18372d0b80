"""Checks of the numbers for scaling, with the error texts of the server."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import validation
from aioappsapi.sandbox.world.json_types import Json

MOST: Final = 2**31 - 1
LOG_RATE: Final = "log_rate_limit_in_bytes_per_second"
_BOUNDS: Final = {
    "instances": (0, MOST),
    "web_instances": (0, MOST),
    "memory_in_mb": (1, MOST),
    "disk_in_mb": (1, MOST),
    LOG_RATE: (-1, 2**63 - 1),
}
SCALED: Final = ("instances", "memory_in_mb", "disk_in_mb", LOG_RATE)


def scaling_problems(fields: Json) -> list[str]:
    """Return the problems of numbers of instances, megabytes and bytes per second."""
    problems = []
    for name, (least, most) in _BOUNDS.items():
        value = fields.get(name)
        problems += validation.number_problems(name, value, least, most, positive=least == 1)
    return problems
