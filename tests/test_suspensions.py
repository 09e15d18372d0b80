"""A suspended space or organization is refused once, and not for each of its apps."""

from __future__ import annotations

from typing import Any

import pytest

from aioappsapi import ForbiddenError, NotAttemptedError, Status
from tests.clients import client, statuses
from tests.cloud import Cloud, Planned
from tests.fakes import virtual
from tests.replay import Answer, Seen, refusal, reply
from tests.test_rolling import sandbox

SPACE = refusal(403, "CF-SpaceSuspended", 10019, "The space is suspended")
ORGANIZATION = refusal(403, "CF-OrgSuspended", 10017, "The organization is suspended")
OK, FAILED, NOT_ATTEMPTED = Status.OK, Status.FAILED, Status.NOT_ATTEMPTED


def places(seen: Seen) -> Answer | None:
    """Spaces 1 and 2 are of one organization, space 3 of another."""
    if seen.path == "/v3/spaces":
        rows = [{"guid": f"space-{n}", "name": f"s{n}"} for n in (1, 2)]
        return reply({"pagination": {"next": None}, "resources": rows})
    if seen.path.startswith("/v3/spaces/"):
        links = {"organization": {"data": {"guid": "org-1"}}}
        return reply({"guid": "space-1", "name": "s", "relationships": links})
    return None


def cloud(answer: Answer, *spaces: int) -> Cloud:
    """Apps in these spaces; those of 1 and 2 are refused."""
    apps = [
        Planned(f"app-{n}", space=f"space-{space}", answers=[answer] if space < 3 else [])
        for n, space in enumerate(spaces)
    ]
    made = Cloud(*apps)
    made.meddlers.append(places)
    return made


@pytest.mark.parametrize("action", ["start", "restart"])
@virtual
async def test_the_other_apps_of_a_suspended_space_get_no_request(action: str) -> None:
    made = cloud(SPACE, 1, 3, 1, 2, 1)
    report = await getattr(made.bulk(), action)(list(made.apps), concurrency=1)
    assert statuses(report) == [FAILED, OK, NOT_ATTEMPTED, FAILED, NOT_ATTEMPTED]
    assert isinstance(report[0].error, ForbiddenError)
    assert report[0].error.title == "CF-SpaceSuspended"
    assert isinstance(report[2].error, NotAttemptedError)
    assert str(report[2].error) == f"{action} app-2: its space is suspended."
    assert report[2].name == "name-of-app-2"
    assert made.count("POST", "") == 3


@virtual
async def test_a_suspended_organization_covers_all_of_its_spaces() -> None:
    made = cloud(ORGANIZATION, 1, 2, 3, 1)
    report = await made.bulk().start(list(made.apps), concurrency=1)
    assert statuses(report) == [FAILED, NOT_ATTEMPTED, OK, NOT_ATTEMPTED]
    assert "its organization is suspended" in str(report[1].error)
    assert made.count("GET", "/v3/spaces") == 2


@virtual
async def test_apps_of_the_space_are_skipped_even_if_its_organization_is_unreadable() -> None:
    made = cloud(ORGANIZATION, 1, 2, 3, 1)
    made.meddlers[0] = lambda seen: (
        refusal(403, "CF-NotAuthorized", 10003) if "/v3/spaces" in seen.path else None
    )
    report = await made.bulk().start(list(made.apps), concurrency=1)
    assert statuses(report) == [FAILED, FAILED, OK, NOT_ATTEMPTED]


@virtual
async def test_an_app_that_cannot_be_read_keeps_the_servers_refusal() -> None:
    made = cloud(SPACE, 1, 1)
    made.meddlers.append(
        lambda seen: refusal(404, "CF-ResourceNotFound", 10010) if seen.method == "GET" else None
    )
    report = await made.bulk().restart(list(made.apps), concurrency=1)
    assert [type(outcome.error) for outcome in report] == [ForbiddenError, ForbiddenError]


@virtual
async def test_another_refusal_concerns_only_its_app() -> None:
    made = cloud(refusal(403, "CF-NotAuthorized", 10003), 1, 1)
    report = await made.bulk().start(list(made.apps), concurrency=1)
    assert statuses(report) == [FAILED, FAILED]
    assert made.count("POST", "") == 2
    assert made.count("GET", "") == 1


@virtual
async def test_a_restart_reads_spaces_only_after_a_refusal() -> None:
    made = cloud(SPACE, *[3] * 600, 1, *[3] * 250, 1)
    report = await made.bulk().restart(list(made.apps), concurrency=1)
    assert statuses(report) == [OK] * 600 + [FAILED] + [OK] * 250 + [NOT_ATTEMPTED]
    # The refused one, then the two batches behind it: not those that are done.
    assert made.count("GET", "") == 3


@pytest.mark.parametrize("action", ["restart", "restage"])
@pytest.mark.parametrize("whole_organization", [False, True])
@virtual
async def test_deployments_and_builds_are_refused_once_as_well(
    action: str, whole_organization: bool
) -> None:
    async with sandbox(12) as made, client(made, "developer") as cf:
        homes = [space for space in made.world.spaces.values() if space.organization.name == "acme"]
        for number, app in enumerate(made.apps.values()):
            app.space = homes[number % 2]
        homes[0].suspended = not whole_organization
        homes[0].organization.suspended = whole_organization
        how: Any = {"strategy": "rolling"} if action == "restart" else {}
        report = await getattr(cf.bulk, action)(list(made.apps), concurrency=1, **how)
        refused = "/v3/deployments" if action == "restart" else "/v3/builds"
        if whole_organization:
            assert statuses(report) == [FAILED] + [NOT_ATTEMPTED] * 11
            assert made.count("POST", refused) == 1
            assert "its organization is suspended" in str(report[1].error)
        else:
            assert statuses(report) == [FAILED, OK] + [NOT_ATTEMPTED, OK] * 5
            assert made.count("POST", refused) == 7
            assert "its space is suspended" in str(report[2].error)
