"""The data of apps that a run reads before their turn, and the names in outcomes."""

from __future__ import annotations

import pytest

from aioappsapi import App, Report, Status
from aioappsapi.bulk.reports.outcome import Outcome
from tests.cloud import Cloud, Planned
from tests.fakes import virtual
from tests.replay import Answer, Seen, refusal, reply

OLD = "The query parameter is invalid: Unknown query parameter(s): 'include'. Valid: 'guids'"


def places_of(seen: Seen) -> Answer | None:
    """Answer a list as a server does that knows `include`: two apps in one space."""
    if seen.method != "GET" or "include=space.organization" not in seen.target:
        return None
    apps = [
        {
            "guid": guid,
            "name": f"name-of-{guid}",
            "state": state,
            "relationships": {"space": {"data": {"guid": "space-1"}}},
        }
        for guid, state in (("a", "STARTED"), ("b", "STOPPED"))
    ]
    owner = {"organization": {"data": {"guid": "org-1"}}}
    included = {
        "spaces": [{"guid": "space-1", "name": "dev", "relationships": owner}],
        "organizations": [{"guid": "org-1", "name": "acme"}],
    }
    return reply({"pagination": {"total_pages": 1}, "resources": apps, "included": included})


def labels(report: Report[App]) -> list[str]:
    return [outcome.label for outcome in report]


@virtual
async def test_outcomes_name_space_and_organization_without_extra_requests() -> None:
    cloud = Cloud("a", "b")
    cloud.meddlers.append(places_of)
    report = await cloud.bulk().start(["a", "b"])
    assert labels(report) == ["acme/dev/name-of-a", "acme/dev/name-of-b"]
    assert [outcome.status for outcome in report] == [Status.ALREADY, Status.OK]
    assert [seen.method for seen in cloud.seen] == ["GET", "POST"]


@virtual
async def test_an_old_server_without_names_is_asked_for_them_only_once() -> None:
    cloud = Cloud(*(Planned(f"app-{n}") for n in range(500)))

    def refuse(seen: Seen) -> Answer | None:
        return (
            refusal(400, "CF-BadQueryParameter", 10005, OLD) if "include" in seen.target else None
        )

    cloud.meddlers.append(refuse)
    report = await cloud.bulk().start(list(cloud.apps))
    assert report.ok
    assert report[0].label == "name-of-app-0"
    assert cloud.count("GET", "include") == 1
    assert cloud.count("GET", "/v3/apps?") == 1 + 3


@virtual
async def test_without_values_outcomes_keep_their_names() -> None:
    cloud = Cloud("a", "b")
    cloud.meddlers.append(places_of)
    report = await cloud.bulk().start(["a", "b"], keep_values=False)
    assert labels(report) == ["acme/dev/name-of-a", "acme/dev/name-of-b"]
    assert [outcome.value for outcome in report] == [None, None]


@virtual
async def test_a_restart_takes_the_name_from_its_answer_and_reads_nothing() -> None:
    cloud = Cloud("a")
    report = await cloud.bulk().restart(["a"], keep_values=False)
    [outcome] = report
    assert isinstance(outcome, Outcome)
    assert (outcome.name, outcome.value) == ("name-of-a", None)


@virtual
async def test_a_run_without_values_still_notices_a_wrong_answer() -> None:
    """The server's 200 shows the wrong state: that proves nothing, whatever is kept."""
    wrong = reply({"guid": "a", "name": "a", "state": "STOPPED"})
    cloud = Cloud(Planned("a", answers=[wrong]))
    [outcome] = await cloud.bulk().start(["a"], keep_values=False)
    assert outcome.status is Status.UNVERIFIED


@pytest.mark.parametrize("keep_values", [True, False])
@virtual
async def test_a_run_with_wait_needs_as_many_requests_with_values_as_without(
    keep_values: bool,
) -> None:
    cloud = Cloud("a", "b")
    report = await cloud.bulk().start(["a", "b"], wait="all", keep_values=keep_values)
    assert report.ok
    assert cloud.count("GET", "/v3/apps") == 1
