"""What tests of several files begin with."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from aioappsapi.sandbox import Sandbox, SandboxThread

from .sandbox_caller import Caller, admin_calls

# How long one example takes says more about the machine than about the code.
settings.register_profile("aioappsapi", deadline=None)
settings.load_profile("aioappsapi")


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """A sandbox of twelve apps, and the admin logged in."""
    async with admin_calls() as logged_in:
        yield logged_in


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of a sandbox of 60 apps, as the environment names it to the command line.

    Each test has its own, so no test depends on the order of the others.
    """
    with SandboxThread(Sandbox(60)) as cloud:
        monkeypatch.setenv("CF_API", cloud.url)
        monkeypatch.setenv("CF_USERNAME", "admin")
        monkeypatch.setenv("CF_PASSWORD", "admin")
        monkeypatch.chdir(tmp_path)
        yield cloud.url
