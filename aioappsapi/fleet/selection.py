"""Which apps of which foundation."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence

from aioappsapi.bulk.actions.scale import Scales
from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.reports.report_data import ReportData
from aioappsapi.bulk.run.inputs import Keys
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError, InvalidInputError

# What is known of one foundation before it is asked: its apps, or why they could not be found.
Found = Keys | Mapping[str, Scales]
Given = Found | AppsApiError
Find = Callable[[Client], Found | Awaitable[Found]]
FleetKeys = Mapping[str, Given] | Find | ReportData[object]


def divide(keys: FleetKeys, clients: Mapping[str, Client]) -> dict[str, Given | Find]:
    """Return the part of each foundation that has one. Raises InvalidInputError."""
    if isinstance(keys, ReportData):
        return dict(_by_target(keys, clients))
    if isinstance(keys, Mapping):
        if unknown := [name for name in keys if name not in clients]:
            raise InvalidInputError(
                f"The fleet has no {', '.join(map(repr, unknown))}. It has: {', '.join(clients)}."
            )
        return dict(keys)
    if callable(keys):
        return dict.fromkeys(clients, keys)
    raise InvalidInputError(
        f"{type(keys).__name__} does not say which apps are at which foundation. Pass a mapping "
        "from names to GUIDs, a function of a client, or a report."
    )


def _by_target(
    report: ReportData[object], clients: Mapping[str, Client]
) -> dict[str, Sequence[Outcome[object]]]:
    names = {client.api_url: name for name, client in clients.items()}
    parts: dict[str, list[Outcome[object]]] = {}
    for outcome in report:
        target = outcome.target or report.target or ""
        if target not in names:
            raise InvalidInputError(
                f"The report has apps of {target or 'an unknown API'}, which is not in the fleet. "
                "Nothing was sent."
            )
        parts.setdefault(names[target], []).append(outcome)
    return parts  # type: ignore[return-value]


def is_known(given: Given | Find) -> bool:
    """Check whether the apps are known before the foundation is asked."""
    return not (callable(given) or isinstance(given, AsyncIterable | AppsApiError))


async def find(given: Found | Find, client: Client) -> Found:
    """Return the apps of a foundation."""
    if not callable(given):
        return given
    found = given(client)
    return await found if inspect.isawaitable(found) else found
