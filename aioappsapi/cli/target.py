"""Which Cloud Foundry the command line works on, and as whom."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypedDict

from aioappsapi import Client, Limits, PasswordGrant, RetryPolicy, Tls
from aioappsapi.bulk.run.observer import Instrumentation
from aioappsapi.cli.flags import RunFlags, TargetFlags
from aioappsapi.cli.telemetry import instrumentation
from aioappsapi.errors import AuthError, InvalidInputError

# How long a platform takes to bring instances up and down, in seconds, and how many of them crash.
# The chaos profile has its own, shorter times.
_PLATFORM: Final[Mapping[str, float]] = {
    "startup": 1.5,
    "shutdown": 0.5,
    "crash": 0.01,
    "crash_once": 0.02,
}


@contextmanager
def opened(target: TargetFlags, run: RunFlags) -> Iterator[Client]:
    """Make the client, with an embedded sandbox if `--sandbox` asks for one.

    The sandbox is another process, so that it takes no time from the client's event loop. Raises
    AuthError without a target, InvalidInputError for options that do not go together.
    """
    _check(target)
    settings = _settings(run)
    if target.sandbox is None:
        yield _real(target, settings)
        return
    from aioappsapi.sandbox import SandboxProcess

    profile = target.profile or "demo"
    platform = _PLATFORM if profile == "demo" else {}
    with SandboxProcess(target.sandbox, target.seed or 0, profile, **platform) as sandbox:
        yield Client(sandbox.url, auth=PasswordGrant("admin", "admin"), proxy="", **settings)


class _Settings(TypedDict):
    """What a run asks of its client."""

    limits: Limits
    retry: RetryPolicy
    telemetry: Instrumentation | None


def _settings(run: RunFlags) -> _Settings:
    limits, retry = Limits(), RetryPolicy()
    if run.concurrency is not None:
        limits = Limits(concurrency=max(run.concurrency, limits.concurrency))
    if run.give_up_after is not None:
        retry = RetryPolicy(give_up_after=run.give_up_after)
    return {"limits": limits, "retry": retry, "telemetry": instrumentation()}


def _check(target: TargetFlags) -> None:
    """Refuse options that would have no effect. Raises InvalidInputError."""
    if target.sandbox is not None and (target.ca_file is not None or target.insecure):
        raise InvalidInputError("--ca-file and --insecure do not go with --sandbox.")
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
