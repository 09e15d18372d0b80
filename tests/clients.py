"""Clients of a sandbox for tests, and what tests read from their reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aioappsapi import Client, Limits, Outcome, PasswordGrant, RetryPolicy, Status


def client(cloud: Any, user: str = "admin", **options: Any) -> Client:
    """Return a client of a sandbox, not opened yet."""
    return Client(cloud.url, auth=PasswordGrant(user, user), proxy="", **options)


def busy_client(cloud: Any, *, base: float = 0.05, cap: float = 0.5) -> Client:
    """Return a client for a hundred requests at a time, with short pauses between retries."""
    retry = RetryPolicy(base=base, cap=cap)
    return client(cloud, retry=retry, limits=Limits(concurrency=100))


def statuses(report: Iterable[Outcome[Any]]) -> list[Status]:
    return [outcome.status for outcome in report]
