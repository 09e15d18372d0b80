"""Circumstances of recordings on the server that no recorded request shows.

Each entry names recordings by a pattern, and what was so at that time. No entry is an answer: they
are outages, limits used up, flags that were off, an app that had been stopped or deleted, who had
no role somewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from aioappsapi.sandbox import Faults
from aioappsapi.sandbox.world.model import App, Organization, Process, Space, guid_of
from aioappsapi.sandbox.world.resources import Build, Deployment, Job, Phase
from tests.sandbox_evidence import GUID
from tests.sandbox_world import UNKNOWN, Builder

Circumstance = Callable[[Builder], None]


def diego(mode: str) -> Circumstance:
    return lambda b: setattr(b.sandbox, "diego", mode)


def database_down(builder: Builder) -> None:
    builder.sandbox.database = "down"


def no_log_cache(builder: Builder) -> None:
    builder.world.log_cache = False


def off(*flags: str) -> Circumstance:
    return lambda b: b.world.flags.update(dict.fromkeys(flags, False))


def on(*flags: str) -> Circumstance:
    return lambda b: b.world.flags.update(dict.fromkeys(flags, True))


def _asked_app(builder: Builder) -> App:
    text = builder.question.target + str(builder.question.request["body"])
    for guid in GUID.findall(text):
        if guid in builder.world.apps:
            return builder.world.apps[guid]
        found = builder.world.process(guid)
        if found is not None:
            return found[0]
        for kind in ("deployments", "packages", "droplets", "tasks", "builds"):
            row = getattr(builder.shelf, kind).get(guid)
            if row is not None:
                return row.app  # type: ignore[no-any-return]
    return builder.subject()


def _asked_space(builder: Builder) -> Space:
    text = builder.question.target + str(builder.question.request["body"])
    for guid in GUID.findall(text):
        if guid in builder.world.spaces:
            return builder.world.spaces[guid]
    return _asked_app(builder).space


def elsewhere(builder: Builder) -> None:
    """The app is in a space where the asker has no role."""
    _asked_app(builder).space = builder.world.spaces[builder.server.foreign]


def gone(builder: Builder) -> None:
    """What the path names was deleted."""
    world, shelf = builder.world, builder.shelf
    for guid in builder.question.parts:
        for rows in (world.apps, shelf.deployments, shelf.droplets, shelf.packages, shelf.builds):
            rows.pop(guid, None)  # type: ignore[attr-defined]


def suspended_organization(builder: Builder) -> None:
    _asked_space(builder).organization.suspended = True


def suspended_space(builder: Builder) -> None:
    _asked_space(builder).suspended = True


def frozen(builder: Builder) -> None:
    """The second server's frozen organization."""
    for place in builder.world.organizations.values():
        place.suspended = place.name.startswith("frozen")


def cold(builder: Builder) -> None:
    """The space of the second server's frozen organization, which is not frozen now."""
    for place in builder.world.organizations.values():
        place.suspended = False
    for space in builder.world.spaces.values():
        space.suspended = space.name == "cold"


def thawed(builder: Builder) -> None:
    """Nothing is suspended any more."""
    for place in (*builder.world.organizations.values(), *builder.world.spaces.values()):
        place.suspended = False


def no_ssh(builder: Builder) -> None:
    _asked_space(builder).ssh = False


def app(**values: Any) -> Circumstance:
    """The app that the request is about was like that."""

    def change(builder: Builder) -> None:
        for name, value in values.items():
            setattr(_asked_app(builder), name, value)

    return change


def process(**values: Any) -> Circumstance:
    """The app's web process was like that."""

    def change(builder: Builder) -> None:
        for name, value in values.items():
            setattr(_asked_app(builder).processes[0], name, value)

    return change


def worker(builder: Builder) -> None:
    """The app has a worker, of which there are no instances."""
    asked = _asked_app(builder)
    if all(one.type != "worker" for one in asked.processes):
        asked.processes.append(Process(f"{asked.guid[:-1]}9", "worker", 0))


def deploying(reason: str = "DEPLOYING") -> Circumstance:
    """The deployment that the path names, or one of the app, is at this point."""

    def change(builder: Builder) -> None:
        named = [builder.shelf.deployments.get(guid) for guid in builder.question.parts]
        found = next((one for one in named if one is not None), None)
        if found is None:
            asked = _asked_app(builder)
            found = Deployment(guid=asked.guid[::-1], app=asked, droplet=asked.droplet)
            builder.shelf.deployments[found.guid] = found
        found.phase = Phase[reason]

    return change


def staging(builder: Builder) -> None:
    """Another build of the app is not over yet."""
    asked = _asked_app(builder)
    build = Build(guid=asked.guid[::-1], app=asked, package=UNKNOWN)
    builder.shelf.builds[build.guid] = build


def job(state: str, **values: Any) -> Circumstance:
    def change(builder: Builder) -> None:
        found = builder.shelf.jobs[builder.question.parts[-1]]
        found.state, found.errors = state, found.errors if state == "FAILED" else []
        for name, value in values.items():
            setattr(found, name, value)

    return change


def deleting(builder: Builder) -> None:
    """A job is about to delete the app."""
    asked = _asked_app(builder)
    begun = Job(guid=guid_of(asked.guid), operation="app.delete", resource=("app", asked.guid))
    builder.shelf.jobs[begun.guid] = begun
    asked.deletion = begun.guid


def package(**values: Any) -> Circumstance:
    def change(builder: Builder) -> None:
        for guid in GUID.findall(builder.question.target + str(builder.question.request["body"])):
            for name, value in values.items():
                if guid in builder.shelf.packages:
                    setattr(builder.shelf.packages[guid], name, value)

    return change


def droplet(**values: Any) -> Circumstance:
    def change(builder: Builder) -> None:
        for guid in GUID.findall(builder.question.target + str(builder.question.request["body"])):
            found = builder.shelf.droplet(guid)
            for name, value in values.items():
                if found is not None:
                    setattr(found, name, value)

    return change


def stack(name: str, state: str, reason: str | None = None) -> Circumstance:
    def change(builder: Builder) -> None:
        builder.world.stacks[name].state = state
        builder.world.stacks[name].reason = reason

    return change


def limits(place: str, **values: int) -> Circumstance:
    """The quota of the space or its organization, in megabytes and pieces."""

    def change(builder: Builder) -> None:
        space = _asked_space(builder)
        owner: Space | Organization = space if place == "space" else space.organization
        for name, value in values.items():
            setattr(owner, name, value)

    return change


def limited(used: int = 0, used_v2: int = 0) -> Circumstance:
    """The rate limit was on, and the asker had made so many requests in this minute."""

    def change(builder: Builder) -> None:
        server = builder.server
        builder.sandbox.faults = Faults(
            rate_limit=server.rate_limit,
            rate_window=60,
            address_rate_limit=server.address_rate_limit,
            limit_admins=False,
            v2_rate_limit=server.v2_rate_limit,
        )
        kind = builder.question.caller
        asker = builder.server.people.get(kind or "")
        known = asker is not None and kind not in {"expired", "bad_signature"}
        end = time.time() + 30
        key = asker.guid if known and asker is not None else "address 127.0.0.1"
        builder.sandbox._gate.limiter._windows[key] = (used, end)
        if asker is not None:
            builder.sandbox._api._two._limiter._windows[asker.guid] = (used_v2, end)

    return change


def variables(builder: Builder) -> None:
    _asked_app(builder).environment = {"LOG_LEVEL": "info", "FEATURE_X": "on"}


def parameters(**values: Any) -> Circumstance:
    """What the user or the broker had given to the instance or the binding."""

    def change(builder: Builder) -> None:
        market, guid = builder.sandbox.marketplace, builder.question.parts[2]
        row: Any = market.instances.get(guid) or market.bindings[guid]
        row.parameters = row.credentials = values

    return change


def busy(builder: Builder) -> None:
    """Apps had been started and stopped."""
    for one in list(builder.world.apps.values())[:3]:
        builder.sandbox.events.switched(one, "STARTED", "STOPPED")


def many_events(builder: Builder) -> None:
    """The app had been started and stopped by the developer."""
    asked, events = builder.subject(), builder.sandbox.events
    actor = (builder._developer().guid, "user", "dev")
    for kind in ("audit.app.start", "audit.app.stop"):
        target = (asked.guid, "app", asked.name)
        place = (asked.space.guid, asked.space.organization.guid)
        events._add(kind, actor, target, place, None)


def failed_build(builder: Builder) -> None:
    """A build of the app had failed."""
    staging(builder)
    next(reversed(builder.shelf.builds.values())).state = "FAILED"


def state_of_build(state: str) -> Circumstance:
    return lambda b: setattr(b.shelf.builds[b.question.parts[-1]], "state", state)


def limit_of(count: int) -> Circumstance:
    def change(builder: Builder) -> None:
        builder.sandbox.faults = replace(builder.sandbox.faults, rate_limit=count)

    return change


def known_user(builder: Builder) -> None:
    builder._invent_user(builder.question.asked["guid"])


def environment_groups(builder: Builder) -> None:
    groups = {"staging": {"STG_GLOBAL": "1"}, "running": {"RUN_GLOBAL": "1"}}
    builder.world.environment_groups.update(groups)


CIRCUMSTANCES: list[tuple[str, Circumstance]] = [
    # Outages.
    ("diego-down__refused*", diego("refused")),
    ("diego-down__bbs-503*", diego("bbs-503")),
    ("diego-down__bbs-error*", diego("bbs-error")),
    ("diego-down__bbs-invalid*", diego("bbs-invalid")),
    ("diego-down__dns*", diego("dns")),
    ("*-bbs-503", diego("bbs-503")),
    ("builds__create-stager-refuses", diego("bbs-error")),
    ("*after-stager-refused*", diego("up")),
    ("diego-down__*-start", app(state="STOPPED")),
    ("diego-down__*-start-back", app(state="STOPPED")),
    ("diego-down__*-start-stopped", app(state="STARTED")),
    ("diego-down__*-start-started", app(state="STARTED")),
    ("*app-after-restart-of-stopped-app", app(state="STOPPED")),
    ("*log-cache*", app(state="STARTED")),
    ("processes__stats-log-cache-down", process(instances=3)),
    ("diego-down__*-stop*", app(state="STARTED")),
    ("db-down__*", database_down),
    ("*log-cache-down", no_log_cache),
    # Who may not, and what is off.
    ("*404-no-read-permission", elsewhere),
    ("*__403-docker-feature-disabled", off("diego_docker")),
    ("*403-docker-feature-disabled", app(lifecycle="docker")),
    ("create-app__cnb-*", on("diego_cnb")),
    ("processes__scale-403-feature-disabled", off("app_scaling")),
    ("tasks__create-403-feature-disabled", off("task_creation")),
    ("*__403-env_var_visibility-off", off("env_var_visibility")),
    ("*space_developer_env_var_visibility-off", off("space_developer_env_var_visibility")),
    ("get-env__admin-with-visibility-off", off("space_developer_env_var_visibility")),
    ("*403-org-suspended", suspended_organization),
    ("*org-suspended-admin", suspended_organization),
    ("*403-space-suspended", suspended_space),
    ("get-app__in-suspended-space", suspended_space),
    ("suspended__*", frozen),
    ("suspended__space-*", cold),
    ("suspended__suspend-org", suspended_space),
    ("suspended__*unsuspend*", suspended_organization),
    ("suspended__start-after-unsuspend", thawed),
    # Limits.
    ("rate-limit*", limited(used=1)),
    ("rate-limit*429*", limited(used=100)),
    ("rate-limit__info-limited", limited(used=20)),
    ("rate-limit__twentieth-*", limited(used=19)),
    ("rate-limit-v2__*", limited(used=5)),
    ("rate-limit-v2__429", limited(used=5, used_v2=5)),
    ("rate-limit-window__mixed", limited(used=80)),
    ("rate-limit-window__info-global-200", limit_of(50)),
    ("rate-limit-window__concurrent-20", limited(used=100)),
    ("rate-limit-window__per-process-50-*", limited(used=200)),
    ("rate-limit-window__unauthenticated", limited(used=40)),
    ("rate-limit-window__sequence", limited(used=100)),
    # Apps that had been stopped, emptied, deployed.
    ("*no-droplet*", app(droplet=None)),
    ("get-ssh-enabled__disabled-by-app", app(features={"ssh": False})),
    ("get-ssh-enabled__disabled-by-space", no_ssh),
    ("*both-binding-features", app(features={"service-binding-k8s": True})),
    ("start-app__422-org-quota-memory", app(state="STOPPED")),
    ("start-app__422-org-quota-memory", limits("organization", memory_limit=1)),
    ("*while-deleting", deleting),
    ("*second-delete-same-job", deleting),
    ("delete-app__get-after-delete-404", gone),
    ("delete-app__second-delete-404", gone),
    ("delete-app-recursive__app-after", gone),
    ("*while-deploying", deploying()),
    ("deployments__cancel*", deploying()),
    ("deployments__continue", deploying("PAUSED")),
    ("deployments__continue-canceling", deploying("CANCELING")),
    ("deployments__continue-rolling", deploying()),
    ("deployments__get-canary", deploying("PAUSED")),
    ("deployments__create-stopped-app", app(state="STOPPED")),
    ("suspended__*deployment*", deploying()),
    ("suspended__space-scale-admin", deploying()),
    ("*__job-first-poll", job("PROCESSING")),
    ("*__job-poll", job("PROCESSING")),
    ("*__job-end", job("COMPLETE")),
    ("*__job-complete", job("COMPLETE")),
    # What is staged, uploaded and copied.
    ("builds__create*", package(state="READY", uploaded=True)),
    ("builds__*package-not-ready", package(state="AWAITING_UPLOAD", uploaded=False)),
    ("builds__create-422-already-staging", staging),
    ("packages__upload*", package(state="AWAITING_UPLOAD", uploaded=False)),
    ("packages__download", package(state="READY", uploaded=True)),
    ("packages__get-docker", package(type="docker", image="x", username="u")),
    ("droplets__get-docker", app(lifecycle="docker")),
    ("droplets__get-docker", droplet(lifecycle="docker", image="x")),
    ("droplets__copy-staged", droplet(state="STAGED", uploaded=True)),
    ("droplets__get-copying", droplet(state="COPYING", uploaded=False)),
    ("packages__get-copying", package(state="COPYING", uploaded=False)),
    ("droplets__set-current-awaiting-upload", droplet(state="AWAITING_UPLOAD", uploaded=False)),
    ("packages__get-after-copy", package(state="READY", uploaded=True)),
    ("droplets__get-after-copy", droplet(state="STAGED", uploaded=True)),
    ("droplets__upload*", droplet(state="AWAITING_UPLOAD", uploaded=False)),
    ("droplets__upload-again", droplet(state="STAGED", uploaded=True)),
    # Stacks.
    ("*-DEPRECATED*", stack("cflinuxfs4", "DEPRECATED", "use cflinuxfs5")),
    ("warnings__*-DISABLED-build*", stack("cflinuxfs4", "DISABLED", "use cflinuxfs5")),
    ("stack-state__*", stack("cflinuxfs4", "ACTIVE")),
    ("stack-state__*DEPRECATED", stack("cflinuxfs3", "DEPRECATED", "use cflinuxfs4")),
    ("stack-state__*RESTRICTED", stack("cflinuxfs3", "RESTRICTED", "use cflinuxfs4")),
    ("stack-state__*DISABLED", stack("cflinuxfs3", "DISABLED", "use cflinuxfs4")),
    # Instances.
    ("processes__stats-3-instances", process(states=["RUNNING"] * 3, memory_in_mb=256)),
    ("processes__stats-crashed", process(states=["CRASHED", "STARTING", "DOWN"])),
    ("processes__stats-by-type", process(memory_in_mb=256)),
    ("processes__stats-running", process(memory_in_mb=256)),
    ("processes__*no-room", process(states=["DOWN"], details="insufficient resources: memory")),
    ("suspended__stats-*", app(state="STARTED")),
    ("suspended__stats-*", process(states=["STARTING"])),
    ("processes__process_instances-auditor", process(states=["RUNNING"] * 2)),
    ("start-app__revision-after-restart", worker),
    # Quotas of the second server's scaling.
    ("scale__*over-org-instance-memory", limits("organization", process_memory_limit=512)),
    ("scale__*over-space-instance-memory", limits("space", process_memory_limit=512)),
    ("scale__*over-space-instances", limits("space", instance_limit=1)),
    ("scale__*space-instance-limit", limits("space", process_memory_limit=512)),
    ("scale__*over-space-memory", limits("space", memory_limit=1024)),
    ("scale__*over-org-instances", limits("organization", instance_limit=1)),
    ("scale__*with-space-limit", limits("space", log_rate_limit=10_000)),
    ("scale__over-space-log-rate", limits("space", log_rate_limit=10_000)),
    ("scale__instances-10000", limits("organization", memory_limit=100_000)),
    ("scale__start-over-*", app(state="STOPPED")),
    # What users and operators had given.
    ("update-environment-variables__*", variables),
    ("get-env__*", app(environment={"LOG_LEVEL": "debug", "FEATURE_X": "on"})),
    ("get-env__docker", environment_groups),
    ("get-env__minimal", app(environment=None)),
    ("get-env__docker", app(environment=None)),
    ("get-environment-variables__env-obj", app(environment={"K": {"a": 1}, "L": [1]})),
    ("service-instances__parameters", parameters(size=10)),
    ("rate-limit-service-broker__*", parameters(size=10)),
    ("service-instances__credentials-ups", parameters(api_key="k", url="https://x.example.com")),
    ("service-credential-bindings__parameters", parameters(role="rw")),
    ("misc__app_usage_events", busy),
    ("misc__env-group", environment_groups),
    ("users__create-422-duplicate", known_user),
    ("bulk__audit-events-start-stop", many_events),
    ("builds__list-after-stager-refused", failed_build),
    ("warnings__stack-*-build-get", state_of_build("STAGING")),
    ("suspended__read-env-developer", app(environment={"A": "1"})),
    ("suspended__space-deploy-admin", app(state="STOPPED")),
    ("processes__stats-auditor", process(states=["RUNNING"] * 2)),
    ("processes__stats-lrp-forgotten", app(state="STOPPED")),
    ("processes__update-health-check-http", process(labels={})),
]


def arrange(builder: Builder) -> None:
    """Bring about what was so when the question was asked."""
    for pattern, change in CIRCUMSTANCES:
        if fnmatchcase(builder.question.name, pattern):
            change(builder)
