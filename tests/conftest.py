"""What tests of several files begin with."""

from collections.abc import AsyncIterator

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
