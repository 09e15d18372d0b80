"""Which Cloud Foundry the command line works on, and as whom."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from aioappsapi.auth import PasswordGrant
from aioappsapi.client import Client
from aioappsapi.config import Limits, Tls
from aioappsapi.errors import AuthError

_USUAL: Final = Limits()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say of the target."""

    sandbox: int | None = None
    seed: int = 0
    ca_file: str | None = None
    insecure: bool = False
    concurrency: int = 50


@contextmanager
def opened(target: Target) -> Iterator[Client]:
    """Make the client, with a sandbox of its own if asked for. Raises AuthError without a target.

    The sandbox is another process, so that it cannot take time from the client's event loop.
    """
    if target.sandbox is None:
        yield _real(target)
        return
    from aioappsapi.sandbox import SandboxProcess

    with SandboxProcess(target.sandbox, seed=target.seed, profile="demo") as sandbox:
        auth = PasswordGrant("admin", "admin")
        yield Client(sandbox.url, auth=auth, limits=_limits(target), proxy="")


def _real(target: Target) -> Client:
    limits = _limits(target)
    tls = Tls(ca_file=target.ca_file, insecure=target.insecure)
    if os.environ.get("CF_API"):
        return Client.from_env(limits=limits, ssl=tls)
    try:
        chosen = tls if tls != Tls() else None
        return Client.from_cf_cli(limits=limits, ssl=chosen)
    except AuthError as no_login:
        raise AuthError(
            f"No target: set CF_API and a login in the environment, or run `cf login`. ({no_login})"
        ) from None


def _limits(target: Target) -> Limits:
    return Limits(concurrency=max(target.concurrency, _USUAL.concurrency))
