"""The types of the public methods, for type checkers: read by ``mypy --strict``, never run."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Never, assert_type

from aioappsapi import (
    App,
    AppsApiError,
    Client,
    ClientCredentials,
    Comparison,
    Outcome,
    Pager,
    Plan,
    RateLimit,
    Report,
    Response,
    Run,
    RunAbortedError,
    Snapshot,
    Status,
    Wave,
    Waves,
    report_of,
)
from aioappsapi.bulk import Moments, Requests, RestorePlan, SnapshotDiff, Step
from aioappsapi.models import (
    AppFeature,
    AppPermissions,
    AuditEvent,
    Build,
    Deployment,
    Droplet,
    DropletAssociation,
    Environment,
    EnvironmentVariables,
    FeatureFlag,
    Included,
    Info,
    InstanceStats,
    Job,
    Organization,
    Package,
    Page,
    Pagination,
    Process,
    QuotaUsage,
    RateLimits,
    Role,
    Root,
    Space,
    SshEnabled,
)


async def clients() -> None:
    made = Client("https://api.test", auth=ClientCredentials("id", "secret"))
    async with made as client:
        assert_type(client, Client)
    assert_type(Client.from_env(), Client)
    assert_type(Client.from_cf_cli(), Client)
    assert_type(made.with_options(), Client)
    assert_type(made.api_url, str)


async def apps(client: Client) -> None:
    assert_type(await client.apps.get("g"), App)
    assert_type(await client.apps.get("g", include=["space"]), App)
    assert_type(await client.apps.create("name", "space-guid"), App)
    assert_type(await client.apps.update("g", labels={"old": None}), App)
    assert_type(await client.apps.delete("g"), Job)
    assert_type(await client.apps.start("g"), App)
    assert_type(await client.apps.stop("g", deadline=3), App)
    assert_type(await client.apps.restart("g", deadline=1.5), App)


async def parts_of_apps(client: Client) -> None:
    assert_type(await client.apps.get_current_droplet("g"), Droplet)
    assert_type(await client.apps.get_current_droplet_association("g"), DropletAssociation)
    assert_type(await client.apps.set_current_droplet("g", "d"), DropletAssociation)
    assert_type(await client.apps.clear_buildpack_cache("g"), Job)
    assert_type(await client.apps.get_env("g"), Environment)
    assert_type(await client.apps.get_environment_variables("g"), EnvironmentVariables)
    changed = await client.apps.update_environment_variables("g", {"A": "1", "B": None})
    assert_type(changed, EnvironmentVariables)
    assert_type(client.apps.list_features("g"), Pager[AppFeature])
    assert_type(await client.apps.get_feature("g", "ssh"), AppFeature)
    assert_type(await client.apps.update_feature("g", "ssh", enabled=True), AppFeature)
    assert_type(await client.apps.get_permissions("g"), AppPermissions)
    assert_type(await client.apps.get_ssh_enabled("g"), SshEnabled)


def without_parameters(pager: Pager, report: Report) -> None:
    assert_type(pager, Pager[App])
    assert_type(report + report, Report[App])


async def lists_of_apps(client: Client) -> None:
    without_parameters(client.apps.list(), Report.load("report.json"))
    since = datetime.now(UTC)
    pager = client.apps.list(names=["a"], include=["space"], created_ats={"gte": since})
    async for app in pager:
        assert_type(app, App)
        assert_type(app.guid, str)
        assert_type(app.created_at, datetime | None)
        assert_type(app.relationships.space.guid, str | None)
        assert_type(app.space, Space)
        assert_type(app.organization, Organization)
    async for page in pager.pages():
        assert_type(page, Page[App])
        assert_type(page.resources, list[App])
        assert_type(page.included, Included)
        assert_type(page.pagination, Pagination)
    assert_type(await pager.all(), list[App])
    assert_type(await pager.first(), App | None)


async def other_lists(client: Client) -> None:
    assert_type(await client.spaces.get("g"), Space)
    assert_type(await client.spaces.list(names=["dev"]).all(), list[Space])
    assert_type(await client.spaces.list().first(), Space | None)
    async for space in client.spaces.list(organization_guids=("o",)):
        assert_type(space, Space)
    assert_type(await client.organizations.get("g"), Organization)
    assert_type(await client.organizations.list().all(), list[Organization])
    async for page in client.organizations.list().pages():
        assert_type(page, Page[Organization])


async def bulk(client: Client, guids: Sequence[str], coming: AsyncIterator[str | App]) -> None:
    def tell(outcome: Outcome[App]) -> None:
        assert_type(outcome.value, App | None)

    started = await client.bulk.start(guids, concurrency=5, deadline=9, on_outcome=tell)
    assert_type(started, Report[App])
    assert_type(await client.bulk.stop(coming, max_failures=0.1), Report[App])
    assert_type(await client.bulk.restart(await client.apps.list().all()), Report[App])
    assert_type(await client.bulk.start({"a", "b"}), Report[App])
    snapshot = await client.bulk.snapshot(coming)
    assert_type(snapshot, Snapshot)
    waves = Waves.by_label("start-order", pause=60.0, approve=lambda wave: wave.number < 3)
    assert_type(
        await client.bulk.restore(
            snapshot, wait="all", force=True, waves=waves, memory=True, droplets=True
        ),
        Report[App],
    )
    assert_type(client.bulk.restoring(snapshot, journal="j", resume=True), Run[App])
    assert_type(await client.bulk.diff(snapshot), SnapshotDiff)
    assert_type(await client.bulk.plan_restore(snapshot), RestorePlan)
    assert_type(await client.bulk.select(names=["web-*"], spaces="prod"), list[App])
    assert_type(await client.bulk.find(["acme/prod/web"]), dict[str, App])
    assert_type(client.bulk.stream("start", ["a"], waves=Waves.canary("5%")).wave, Wave | None)


async def bulk_of_anything(client: Client, guids: Sequence[str]) -> None:
    async def count(guid: str) -> int:
        return len(guid)

    assert_type(await client.bulk.map(count, guids), Report[int])
    assert_type(await client.bulk.map(client.apps.get, guids), Report[App])
    assert_type(await client.bulk.map(client.spaces.get, guids), Report[Space])
    assert_type(await client.bulk.map(client.apps.delete, guids), Report[Job])


async def streams(client: Client, guids: Sequence[str]) -> None:
    run = client.bulk.stream("start", guids)
    assert_type(run, Run[App])
    async with run as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[App])
        outcomes.stop("enough", grace=1)
    assert_type(outcomes.total, int | None)
    assert_type(outcomes.in_flight, int)
    assert_type(outcomes.stopping, bool)
    assert_type(outcomes.counts, Counter[Status])
    assert_type(outcomes.report, Report[App])


def reports(report: Report[App]) -> None:
    for outcome in report:
        assert_type(outcome, Outcome[App])
        assert_type(outcome.key, str)
        assert_type(outcome.status, Status)
        assert_type(outcome.error, AppsApiError | None)
        assert_type(outcome.duration, float | None)
        assert_type(outcome.time_to_accept, float | None)
        assert_type(outcome.started_at, datetime | None)
        assert_type(outcome.request_ids, tuple[str, ...])
    assert_type(report[0], Outcome[App])
    assert_type(report[:2], Sequence[Outcome[App]])
    assert_type(report.ok, bool)
    assert_type(report.failed, Sequence[Outcome[App]])
    assert_type(report.failed_keys(), list[str])
    assert_type(report.counts, dict[str, int])
    assert_type(report.requests, Requests)
    assert_type(report.timings, dict[str, dict[str, float]])
    assert_type(report.seconds, float)
    assert_type(report.timeline(), list[Moments])
    assert_type(report.throughput(0.5), list[Step])
    assert_type(report.compare(Report.load("report.json")), Comparison)
    assert_type(report.to_dict(), dict[str, object])
    assert_type(report.to_json(), str)
    assert_type(report.to_jsonl(), str)
    assert_type(Report.load("report.json"), Report[Never])
    assert_type(Report.merge([report, report]), Report[App])
    assert_type(Report.load("report.json") + report, Report[App])
    assert_type(report + Report.load("report.json"), Report[App])
    assert_type(Report.merge([Report.load("report.json"), report]), Report[App])
    assert_type(report.remaining, Sequence[Outcome[App]])
    assert_type(report.target, str | None)
    wider: Report[object] = report
    wider.write("report.json")


def ends_of_runs(aborted: RunAbortedError, cancelled: BaseException) -> None:
    assert_type(aborted.report, Report[object])
    assert_type(report_of(cancelled), Report[object] | None)


def refused(client: Client) -> None:
    client.bulk.stream("delete", ["a"])  # type: ignore[arg-type]
    client.bulk.stream("start", 7)  # type: ignore[arg-type]
    client.apps.list(guids=[7])  # type: ignore[list-item]
    client.apps.get(7)  # type: ignore[arg-type,unused-coroutine]


async def processes(client: Client) -> None:
    assert_type(client.processes.list(app_guids=["g"], include=["instances"]), Pager[Process])
    assert_type(client.processes.list_for_app("g"), Pager[Process])
    assert_type(await client.processes.get("g"), Process)
    assert_type(await client.processes.get_for_app("g", "web"), Process)
    assert_type(await client.processes.get_stats("g"), Sequence[InstanceStats])
    assert_type(
        await client.processes.get_stats(app_guid="g", type="worker"), Sequence[InstanceStats]
    )
    assert_type(await client.processes.scale("g", instances=2), Process)


async def other_resources(client: Client) -> None:
    assert_type(await client.jobs.get("g"), Job)
    assert_type(await client.jobs.wait("g", deadline=3), Job)
    assert_type(client.deployments.list(app_guids=["g"]), Pager[Deployment])
    assert_type(await client.deployments.get("g"), Deployment)
    assert_type(await client.deployments.create("g", strategy="canary"), Deployment)
    assert_type(await client.deployments.wait("g", deadline=3), Deployment)
    assert_type(await client.builds.wait("g", deadline=3), Build)
    assert_type(client.audit_events.list(types=["audit.app.start"]), Pager[AuditEvent])
    assert_type(client.feature_flags.list(), Pager[FeatureFlag])
    assert_type(client.builds.list(), Pager[Build])
    assert_type(await client.builds.get("g"), Build)
    assert_type(await client.builds.create("p"), Build)
    assert_type(client.packages.list(), Pager[Package])
    assert_type(await client.packages.get("g"), Package)
    assert_type(await client.packages.create_docker("g", "image"), Package)
    assert_type(client.droplets.list(), Pager[Droplet])
    assert_type(await client.droplets.get("g"), Droplet)
    assert_type(await client.droplets.copy("d", "g"), Droplet)
    assert_type(await client.droplets.delete("g"), Job)


async def platform(client: Client) -> None:
    assert_type(await client.info.root(), Root)
    assert_type(await client.info.get(), Info)
    assert_type(await client.info.rate_limits(), RateLimits | None)
    assert_type(await client.info.server_version(), str | None)
    assert_type(await client.info.is_korifi(), bool)


async def ways_out(client: Client) -> None:
    response = await client.request("GET", "/v3/stacks")
    assert_type(response, Response)
    assert_type(response.json(), object)
    assert_type(response.decode(Page[Organization]), Page[Organization])
    with client.capture() as exchanges:
        assert_type(exchanges.last, Response)
        assert_type(exchanges.last.rate_limit, RateLimit | None)


async def planning(client: Client) -> None:
    plan = await client.bulk.plan("start", ["g"], wait="all", max_starting=10)
    assert_type(plan, Plan)
    assert_type(plan.report, Report[App])
    assert_type(plan.earliest_finish, datetime)
    assert_type(plan.left, int | None)
    report = await client.bulk.start(["g"], dry_run=True, skip_unchanged=False, on_pause=print)
    assert_type(report, Report[App])
    assert_type(report.predicted, bool)
    assert_type(report.compare(report), Comparison)
    assert_type(await client.apps.start("g", wait="routable", deadline=60), App)


async def around(client: Client) -> None:
    assert_type(await client.feature_flags.get("diego_docker"), FeatureFlag)
    async for quota in client.quotas.list_for_organizations(organization_guids=["g"]):
        assert_type(quota.apps.total_memory_in_mb, int | None)
    assert_type(await client.quotas.get_usage(space_guid="g"), QuotaUsage)
    async for role in client.roles.list(user_guids=["u"]):
        assert_type(role, Role)
