"""`targets`: who this login is at each named target, and what it can do there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from aioappsapi import AppsApiError, Client, Fleet, InvalidInputError, Target
from aioappsapi.bulk.reports.report_json import error_record
from aioappsapi.cli.answers import print_json
from aioappsapi.cli.console import SCHEMA, fail, print_lines
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import Output, TargetFlags
from aioappsapi.cli.progress import clock
from aioappsapi.cli.target import named_targets
from aioappsapi.fleet.check import TargetCheck, check_target

Checks = Mapping[str, TargetCheck | AppsApiError]


def show_targets(globs: tuple[str, ...], output: Output, deadline: float) -> Exit:
    """Print what is known of each target; 0 if all of them can be used, else 1."""
    try:
        flags = TargetFlags(targets=globs, all_targets=not globs)
        targets = named_targets(flags)
    except InvalidInputError as wrong:
        return fail(wrong, Exit.USAGE, output)
    checks = asyncio.run(_check(targets, deadline))
    _print(targets, checks, output)
    usable = all(isinstance(one, TargetCheck) for one in checks.values())
    return Exit.OK if usable else Exit.NOT_ALL


async def _check(targets: Mapping[str, Target], deadline: float) -> Checks:
    clients: dict[str, Client] = {}
    broken: dict[str, AppsApiError] = {}
    for name, target in targets.items():
        try:
            clients[name] = target.client()
        except AppsApiError as error:  # a variable that is not set, for example
            broken[name] = error
    found: dict[str, TargetCheck | AppsApiError] = {**broken}
    if clients:
        async with Fleet(clients) as fleet:
            found |= await fleet.each(check_target, deadline=deadline)
    return {name: found[name] for name in targets}


def _print(targets: Mapping[str, Target], checks: Checks, output: Output) -> None:
    rows = [_row(name, targets[name], check) for name, check in checks.items()]
    if output == "jsonl":
        for row in rows:
            print_json(row)
    elif output == "json":
        print_json({"schema": SCHEMA, "targets": rows})
    else:
        print_lines(line for name, check in checks.items() for line in _lines(name, check))


def _row(name: str, target: Target, check: TargetCheck | AppsApiError) -> dict[str, object]:
    if isinstance(check, AppsApiError):
        error = msgspec.to_builtins(error_record(check))
        return {"name": name, "api": target.api, "usable": False, "error": error}
    return {"name": name, "usable": True, **msgspec.to_builtins(check)}


def _lines(name: str, check: TargetCheck | AppsApiError) -> Iterator[str]:
    if isinstance(check, AppsApiError):
        yield f"{name}: cannot be used: {check}"
        return
    yield f"{name}: {check.api}, version {check.server_version or 'unknown'}"
    yield f"    {check.user or 'an unknown user'}, {_until(check)}, {_roles(check)}"
    if (limit := check.rate_limit) is not None:
        # The server announces tenths, rounded down.
        yield f"    rate limit: {limit.remaining:,} or more of {limit.limit:,} requests left"
    for what in check.cannot:
        yield f"    cannot {what}"


def _until(check: TargetCheck) -> str:
    if check.token_ends_at is None:
        return "the end of its token is unknown"
    left = (check.token_ends_at - datetime.now(UTC)).total_seconds()
    return f"token for {clock(left)} more" if left > 0 else "the token has ended"


def _roles(check: TargetCheck) -> str:
    found = [name if count == 1 else f"{count} x {name}" for name, count in check.roles.items()]
    return ", ".join(found) or "no roles"
