"""What tests of several files begin with."""

from collections.abc import AsyncIterator

import pytest

from .sandbox_caller import Caller, admin_calls


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """A sandbox of twelve apps, and the admin logged in."""
    async with admin_calls() as logged_in:
        yield logged_in
