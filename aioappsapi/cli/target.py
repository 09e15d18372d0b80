"""The target and the login of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypedDict

from aioappsapi import Client, Fleet, Limits, PasswordGrant, RetryPolicy, Target, Tls
from aioappsapi.bulk.run.observer import Instrumentation
from aioappsapi.cli.flags import RunFlags, TargetFlags
from aioappsapi.cli.telemetry import instrumentation
from aioappsapi.errors import AuthError, InvalidInputError
from aioappsapi.fleet.targets_file import choose_targets, read_targets

# How long a platform takes to bring instances up and down, in seconds, and how many of them crash.
# The chaos profile has its own, shorter times.
_PLATFORM: Final[Mapping[str, float]] = {
    "startup": 1.5,
    "shutdown": 0.5,
    "crash": 0.01,
    "crash_once": 0.02,
}


def named_targets(target: TargetFlags) -> dict[str, Target]:
    """Read the named targets that are chosen; none without `--target` and `--all-targets`.

    Raises InvalidInputError for a name that is not in the file, and for a file that is broken.
    """
    if not target.targets and not target.all_targets:
        return {}
    if target.targets and target.all_targets:
        raise InvalidInputError("--target does not go with --all-targets.")
    every = read_targets()
    if not every:
        raise InvalidInputError("The file with named targets has none.")
    return every if target.all_targets else choose_targets(every, target.targets)


@contextmanager
def opened_fleet(target: TargetFlags, run: RunFlags) -> Iterator[Fleet]:
    """Make the clients of several named targets. Raises as `opened` does."""
    _check(target)
    settings = _settings(run)
    yield Fleet({name: one.client(**settings) for name, one in named_targets(target).items()})


@contextmanager
def opened(target: TargetFlags, run: RunFlags) -> Iterator[Client]:
    """Make the client, with an embedded sandbox if `--sandbox` asks for one.

    The sandbox is another process, so that it takes no time from the client's event loop. Raises
    AuthError without a target, InvalidInputError for options that do not fit together.
    """
    _check(target)
    settings = _settings(run)
    if named := named_targets(target):
        yield _only_one(named).client(**settings)
        return
    if target.sandbox is None:
        yield _real(target, settings)
        return
    from aioappsapi.sandbox import SandboxProcess

    profile = target.profile or "demo"
    platform = _PLATFORM if profile == "demo" else {}
    with SandboxProcess(target.sandbox, target.seed or 0, profile, **platform) as sandbox:
        yield Client(sandbox.url, auth=PasswordGrant("admin", "admin"), proxy="", **settings)


def _only_one(named: Mapping[str, Target]) -> Target:
    if len(named) > 1:
        raise InvalidInputError(
            f"This command works on one target, not on {len(named)}: {', '.join(named)}."
        )
    return next(iter(named.values()))


class _Settings(TypedDict):
    """The settings of the client for a run."""

    limits: Limits | None
    retry: RetryPolicy
    telemetry: Instrumentation | None


def _settings(run: RunFlags) -> _Settings:
    limits, retry = None, RetryPolicy()
    if run.concurrency is not None:
        limits = Limits()
        limits = Limits(concurrency=max(run.concurrency, limits.concurrency))
    if run.give_up_after is not None:
        retry = RetryPolicy(give_up_after=run.give_up_after)
    return {"limits": limits, "retry": retry, "telemetry": instrumentation()}


def _check(target: TargetFlags) -> None:
    """Refuse options that would have no effect. Raises InvalidInputError."""
    if target.sandbox is not None and (target.ca_file is not None or target.insecure):
        raise InvalidInputError("--ca-file and --insecure do not go with --sandbox.")
    if target.targets or target.all_targets:
        for name in ("sandbox", "ca_file"):
            if getattr(target, name) is not None:
                raise InvalidInputError(f"--{name.replace('_', '-')} does not go with --target.")
        if target.insecure:
            raise InvalidInputError("--insecure does not go with --target. Write it into the file.")
    for name in ("profile", "seed"):
        if target.sandbox is None and getattr(target, name) is not None:
            raise InvalidInputError(f"--{name} goes with --sandbox.")


def _real(target: TargetFlags, settings: _Settings) -> Client:
    ca_file = None if target.ca_file is None else str(target.ca_file)
    tls = Tls(ca_file=ca_file, insecure=target.insecure)
    if os.environ.get("CF_API"):
        return Client.from_env(ssl=tls, **settings)
    try:
        return Client.from_cf_cli(ssl=tls if tls != Tls() else None, **settings)
    except AuthError as no_login:
        raise AuthError(
            f"No target: set CF_API and a login in the environment, or run `cf login`. ({no_login})"
        ) from None
