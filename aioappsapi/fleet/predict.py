"""The dry run over several foundations: a prediction from each, and one report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.actions.factory import BulkActionName
from aioappsapi.bulk.actions.scale import Scales
from aioappsapi.bulk.reports.report import Report
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError
from aioappsapi.fleet.ask import ask_each
from aioappsapi.fleet.selection import Find, Found, Given, find
from aioappsapi.models.app import App

_OF_REAL_RUNS: Final = (
    "on_outcome",
    "on_pause",
    "max_failures_per_target",
    "target_waves",
    "journal",
    "resume",
)


async def predict_each(
    action: BulkActionName,
    parts: Mapping[str, Given | Find],
    clients: Mapping[str, Client],
    options: dict[str, Any],
    scale: Scales | None,
    *,
    patience: float,
) -> Report[App]:
    """Predict the outcomes at each foundation. Nothing is changed.

    One that cannot be read is in `target_errors`, and its apps are left out.
    """
    # A prediction calls nobody back, and only what is known of all apps bounds it.
    for name in _OF_REAL_RUNS:
        options.pop(name, None)
    seconds = options.get("deadline")
    ends_at = math.inf if seconds is None else loop_time() + seconds

    async def one(name: str, client: Client) -> Report[App]:
        given = parts[name]
        if isinstance(given, AppsApiError):
            raise given
        await client.info.root()
        return await _predicted(action, client, await find(given, client), options, scale)

    asked = {name: clients[name] for name in parts}
    found = await ask_each(asked, one, patience=patience, deadline=ends_at)
    return Report[App].merge(
        _failed(action, clients[name], part) if isinstance(part, AppsApiError) else part
        for name, part in found.items()
    )


async def _predicted(
    action: BulkActionName,
    client: Client,
    found: Found,
    options: dict[str, Any],
    scale: Scales | None,
) -> Report[App]:
    bulk = client.bulk
    if action == "scale":
        return await bulk.scale(found, scale, dry_run=True, **options)
    verb = {
        "start": bulk.start,
        "stop": bulk.stop,
        "restart": bulk.restart,
        "restage": bulk.restage,
    }[action]
    return await verb(found, dry_run=True, **options)


def _failed(action: str, client: Client, error: AppsApiError) -> Report[App]:
    now = datetime.now(UTC)
    return Report[App](
        (),
        action=action,
        target=client.api_url,
        started_at=now,
        finished_at=now,
        complete=False,
        predicted=True,
        target_errors={client.api_url: error},
    )
