"""Selections: by name, place, label, stack, state and droplet, with few requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aioappsapi import Client, InvalidInputError
from aioappsapi.bulk.selection.names import not_found
from aioappsapi.sandbox import Sandbox
from aioappsapi.sandbox.world.model import App
from tests.clients import busy_client


class World:
    """A sandbox with apps of known names: ``web`` and ``db`` in each of two spaces."""

    def __init__(self, cloud: Sandbox, cf: Client) -> None:
        self.cloud = cloud
        self.cf = cf
        prod, dev = list(cloud.world.spaces.values())[:2]
        self.apps = {
            name: cloud.add_app(name.split(":")[-1], space=prod if "prod" in name else dev)
            for name in ("prod:web", "dev:web", "prod:db", "dev:only", "dev:a,b", "dev:x/y/z")
        }
        self.prod, self.dev = (f"{space.organization.name}/{space.name}" for space in (prod, dev))

    async def guids(self, **criteria: Any) -> list[str]:
        return [app.guid for app in await self.cf.bulk.select(**criteria)]

    def of(self, *names: str) -> list[str]:
        return [self.apps[name].guid for name in names]

    def requests(self) -> int:
        return self.cloud.count("GET", "/v3/")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Sandbox(0) as cloud, busy_client(cloud) as cf:
        yield World(cloud, cf)


async def test_all_apps_come_with_their_places_and_one_request(world: World) -> None:
    apps = await world.cf.bulk.select()
    assert [app.guid for app in apps] == world.of(*world.apps)
    assert f"{apps[0].organization.name}/{apps[0].space.name}" == world.prod
    assert world.requests() == 1


async def test_exact_names_cost_one_request_and_keep_their_order(world: World) -> None:
    assert await world.guids(names=["only", f"{world.dev}/web", "db"]) == world.of(
        "dev:only", "dev:web", "prod:db"
    )
    assert world.requests() == 1


async def test_globs_select_all_that_match_and_exclude_leaves_out(world: World) -> None:
    assert await world.guids(names="*b") == world.of("prod:web", "dev:web", "prod:db", "dev:a,b")
    assert await world.guids(names=f"{world.prod}/*") == world.of("prod:web", "prod:db")
    assert await world.guids(names="*b", exclude=["d*", f"{world.dev}/*"]) == world.of("prod:web")
    assert await world.guids(names=["db", "w*"]) == world.of("prod:db", "prod:web", "dev:web")


async def test_a_name_in_two_spaces_shows_the_path_of_each(world: World) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await world.guids(names=["only", "web"])
    assert f"2 apps are called 'web': {world.prod}/web, {world.dev}/web." in str(caught.value)
    organization, space = world.dev.split("/")
    assert await world.guids(names="web", organizations=organization, spaces=space) == world.of(
        "dev:web"
    )


async def test_an_exact_name_wins_over_a_path_and_may_have_a_comma(world: World) -> None:
    here = world.cloud.add_app(f"{world.prod}/web")
    assert await world.guids(names=f"{world.prod}/web") == [here.guid]
    assert await world.guids(names=["a,b", "x/y/z"]) == world.of("dev:a,b", "dev:x/y/z")


async def test_an_unknown_name_is_an_error_with_the_nearest(world: World) -> None:
    with pytest.raises(InvalidInputError, match=rf"'onyl'\. Did you mean {world.dev}/only\?"):
        await world.guids(names=["onyl", "db"])
    assert world.requests() == 2
    assert await world.guids(names=["onyl", "db"], skip_unknown=True) == world.of("prod:db")
    assert await world.cf.bulk.find(["onyl"], skip_unknown=True) == {}
    assert await world.guids(names="none*") == []


async def test_state_label_and_stack(world: World) -> None:
    web: App = world.apps["dev:web"]
    web.state, web.labels, web.stack = "STARTED", {"env": "prod"}, "old"
    for criteria in ({"state": "STARTED"}, {"label_selector": "env=prod"}, {"stack": "old"}):
        assert await world.guids(**criteria) == [web.guid]
    assert await world.guids(state="STARTED", exclude="web") == []


async def test_apps_with_an_old_droplet(world: World) -> None:
    for name, app in world.apps.items():
        droplet = world.cloud.shelf.current_droplet(app)
        assert droplet is not None
        if name != "prod:db":
            droplet.created_at = "2026-01-01T00:00:00Z"
    world.apps["dev:only"].droplet = None
    old = [name for name in world.apps if name not in {"prod:db", "dev:only"}]
    assert await world.guids(droplet_older_than=timedelta(days=1)) == world.of(*old)
    assert world.requests() == 2
    assert await world.guids(droplet_older_than=datetime(2020, 1, 1, tzinfo=UTC)) == []


async def test_an_unknown_place_is_an_error(world: World) -> None:
    with pytest.raises(InvalidInputError, match="No space 'nowhere'"):
        await world.guids(spaces="nowhere")
    with pytest.raises(InvalidInputError, match="No organization 'nobody'"):
        await world.guids(organizations="nobody")


@pytest.mark.parametrize(
    "criteria",
    [
        {"state": "started"},
        {"names": ""},
        {"spaces": ["a", ""]},
        {"droplet_older_than": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is the point
    ],
)
async def test_a_wrong_criterion_is_refused_before_a_request(
    world: World, criteria: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError):
        await world.guids(**criteria)
    with pytest.raises(TypeError, match="Did you mean 'names'"):
        await world.guids(name="web")
    assert world.requests() == 0


def test_the_error_shows_the_beginning_of_a_long_name() -> None:
    message = not_found("x" * 100_000, "y" * 80)
    assert len(message) < 250
    assert f"'{'x' * 79}…'" in message
    assert f"'{'y' * 80}'" in message
