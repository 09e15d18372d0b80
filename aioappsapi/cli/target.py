"""Which Cloud Foundry the command line works on, and as whom."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from aioappsapi.auth import PasswordGrant
from aioappsapi.cli.options import Target
from aioappsapi.client import Client
from aioappsapi.config import Limits, Tls
from aioappsapi.errors import AuthError

_USUAL: Final = Limits()
# What a platform takes to bring instances up and down, in seconds, and how many of them crash. The
# chaos profile has its own, shorter ones.
_PLATFORM: Final[Mapping[str, float]] = {
    "startup": 1.5,
    "shutdown": 0.5,
    "crash": 0.01,
    "crash_once": 0.02,
}


@contextmanager
def opened(target: Target, *, concurrency: int = 1) -> Iterator[Client]:
    """Make the client, with a sandbox of its own if asked for. Raises AuthError without a target.

    The sandbox is another process, so that it cannot take time from the client's event loop.
    Raises InvalidInputError for options that do not go together.
    """
    target.check()
    limits = Limits(concurrency=max(concurrency, _USUAL.concurrency))
    if target.sandbox is None:
        yield _real(target, limits)
        return
    from aioappsapi.sandbox import SandboxProcess

    profile = target.profile or "demo"
    platform = _PLATFORM if profile == "demo" else {}
    with SandboxProcess(target.sandbox, target.seed or 0, profile, **platform) as sandbox:
        yield Client(sandbox.url, auth=PasswordGrant("admin", "admin"), limits=limits, proxy="")


def _real(target: Target, limits: Limits) -> Client:
    ca_file = None if target.ca_file is None else str(target.ca_file)
    tls = Tls(ca_file=ca_file, insecure=target.insecure)
    if os.environ.get("CF_API"):
        return Client.from_env(limits=limits, ssl=tls)
    try:
        chosen = tls if tls != Tls() else None
        return Client.from_cf_cli(limits=limits, ssl=chosen)
    except AuthError as no_login:
        raise AuthError(
            f"No target: set CF_API and a login in the environment, or run `cf login`. ({no_login})"
        ) from None
