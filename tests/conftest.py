"""What tests of several files begin with."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from .sandbox_caller import Caller, admin_calls

# How long one example takes says more about the machine than about the code.
settings.register_profile("aioappsapi", deadline=None)
settings.load_profile("aioappsapi")


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """A sandbox of twelve apps, and the admin logged in."""
    async with admin_calls() as logged_in:
        yield logged_in


@pytest.fixture(autouse=True)
def _log_levels_of_a_command_are_not_those_of_the_next_test() -> Iterator[None]:
    """Undo what a command that ran in this process did to the log."""
    logs = [logging.getLogger(name) for name in ("aioappsapi", "aioappsapi.http")]
    before = [(log, log.level, list(log.handlers)) for log in logs]
    yield
    for log, level, handlers in before:
        log.setLevel(level)
        log.handlers[:] = handlers
