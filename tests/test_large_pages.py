"""Large pages give the same resources, and the event loop keeps running."""

from __future__ import annotations

import asyncio

import pytest

from aioappsapi import DecodeError
from aioappsapi.api.apps import Apps
from tests.replay import Answer, Seen, Wire, app_json, reply

APPS = 6_000


def large_page(**fields: object) -> Wire:
    """A server with one large page of apps in one space; the last app has some more fields."""
    owner = {"organization": {"data": {"guid": "org-1"}}}
    body = {
        "pagination": {"total_results": APPS, "total_pages": 1},
        "resources": [
            app_json(f"app-{number}", **(fields if number == APPS - 1 else {}))
            for number in range(APPS)
        ],
        "included": {
            "spaces": [{"guid": "space-1", "name": "dev", "relationships": owner}],
            "organizations": [{"guid": "org-1", "name": "acme"}],
        },
    }
    page = reply(body)
    assert len(page.body) > 1_000_000

    async def answering(seen: Seen) -> Answer:
        return page

    return Wire(answering)


async def test_a_large_page_has_all_its_apps_in_order_with_their_spaces() -> None:
    apps = await Apps(large_page().caller()).list(include=["space.organization"]).all()
    assert [app.guid for app in apps] == [f"app-{number}" for number in range(APPS)]
    assert {(app.space.name, app.organization.name) for app in apps} == {("dev", "acme")}


@pytest.mark.parametrize("include", [None, ["space.organization"]])
async def test_the_event_loop_runs_while_a_large_page_is_decoded_and_joined(
    include: list[str] | None,
) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await Apps(large_page().caller()).list(include=include).all()
    counting.cancel()
    # One before the page is split, one per 200 apps, and with places one per 1,000 apps.
    assert turns >= 1 + APPS / 200 + APPS / 1_000


async def test_a_broken_app_in_a_large_page_is_a_decode_error() -> None:
    apps = Apps(large_page(name=7).caller()).list()
    with pytest.raises(DecodeError, match="list apps"):
        await apps.all()
