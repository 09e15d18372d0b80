"""Fixtures that several test files share."""

import gc
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from aioappsapi.sandbox import Faults, Sandbox, SandboxThread
from tests.sandbox_caller import Caller, admin_calls

# How long one example takes says more about the machine than about the code.
settings.register_profile("aioappsapi", deadline=None)
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.load_profile("aioappsapi")


def pytest_collection_finish() -> None:
    """Leave modules and thousands of collected tests out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _signals_end_the_children() -> None:
    """Undo what nohup or a shell's background job ignores: children would inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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


@contextmanager
def _in_a_thread(
    apps: int, seed: int = 0, profile: str = "none", **platform: float
) -> Iterator[Sandbox]:
    """Serve what `SandboxProcess` would serve, with instances that need a tenth of the time."""
    faults = replace(Faults.profile(profile), **platform)  # type: ignore[arg-type]
    faults = replace(faults, startup=faults.startup / 10, shutdown=faults.shutdown / 10)
    with SandboxThread(Sandbox(apps, seed=seed, faults=faults)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `--sandbox` start a thread: a process would take half a second before each command."""
    monkeypatch.setattr("aioappsapi.sandbox.SandboxProcess", _in_a_thread)
