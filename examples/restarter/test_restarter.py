"""How a service is tested with the pytest fixtures of aioappsapi."""

import pytest
from restarter import UnknownSpaceError, restart_space

from aioappsapi import Client
from aioappsapi.sandbox import Sandbox


@pytest.mark.asyncio
@pytest.mark.cf_sandbox(apps=12, seed=3)
async def test_every_app_of_the_space_is_restarted(cf_sandbox: Sandbox, cf_client: Client) -> None:
    assert await restart_space(cf_client, "prod") == []
    restarts = cf_sandbox.count("POST", "/actions/restart")
    started = [app for app in cf_sandbox.apps.values() if app.state == "STARTED"]
    assert 0 < restarts == len(started) < 12


@pytest.mark.asyncio
async def test_an_app_without_a_droplet_is_named(cf_sandbox: Sandbox, cf_client: Client) -> None:
    [space, *_] = cf_sandbox.spaces.values()
    cf_sandbox.add_app("empty", space=space, droplet=False)
    assert "empty" in await restart_space(cf_client, space.name)


@pytest.mark.asyncio
async def test_a_space_that_is_not_there(cf_client: Client) -> None:
    with pytest.raises(UnknownSpaceError):
        await restart_space(cf_client, "nowhere")
