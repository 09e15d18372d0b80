"""Builds the world for a request, from the request and from *other* recordings.

Neither the answer nor the name of the recording is read. What no recording tells and the request
names is made up; what was done to the server before is in the circumstances.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from aioappsapi.sandbox import Sandbox
from aioappsapi.sandbox.api.platform.events import Event
from aioappsapi.sandbox.world.model import FEATURES, App, Process, Space, Stack, User
from aioappsapi.sandbox.world.network import Destination, Domain, Route
from aioappsapi.sandbox.world.resources import (
    Build,
    Deployment,
    Droplet,
    Job,
    Package,
    Phase,
    Revision,
    Sidecar,
    Task,
)
from aioappsapi.sandbox.world.services import (
    Binding,
    Broker,
    Offering,
    Operation,
    Plan,
    ServiceInstance,
)
from tests.sandbox_evidence import GUID, Known, Row, kind_of
from tests.sandbox_recordings import Recording, walk
from tests.sandbox_servers import Server

UNKNOWN = "00000000-0000-4000-8000-000000000000"
_ORDER = (
    "organizations",
    "spaces",
    "stacks",
    "users",
    "roles",
    "apps",
    "processes",
    "packages",
    "droplets",
    "builds",
    "revisions",
    "deployments",
    "tasks",
    "jobs",
    "sidecars",
    "domains",
    "routes",
    "service_brokers",
    "service_offerings",
    "service_plans",
    "service_instances",
    "service_credential_bindings",
    "audit_events",
)


def related(row: Row, name: str) -> str:
    relation = (row.get("relationships") or {}).get(name) or {}
    data = relation.get("data") or {}
    return str(data.get("guid") or "")


class Builder:
    """Makes a sandbox of what is known."""

    def __init__(
        self,
        server: Server,
        known: Known,
        question: Recording,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.server = server
        self.known = known
        self.question = question
        self.sandbox = Sandbox(0, seed=1, clock=clock)
        self.world = self.sandbox.world
        self.shelf = self.sandbox.shelf

    def build(self, shown: Iterable[Any] = ()) -> Sandbox:
        """Make it of what the other recordings tell, and of these earlier answers."""
        market, network = self.sandbox.marketplace, self.sandbox.network
        for shelf in (market.brokers, market.offerings, market.plans, market.instances):
            shelf.clear()
        network.domains.clear()
        self.server.found(self.sandbox)
        for kind in _ORDER:
            make: Callable[[Row], None] = getattr(self, f"_{kind}")
            for row in self.known.rows(kind):
                make(row)
        for row in walk(list(shown)):
            kind = kind_of(row)
            if kind in ("apps", "processes"):
                getattr(self, f"_{kind}")(row)
        self._tell_variables()
        self._invent()
        return self.sandbox

    # Places and people.

    def _organizations(self, row: Row) -> None:
        place = self.world.organizations.get(row["guid"])
        if place is not None:
            place.quota_guid = related(row, "quota")
            place.created_at = row["created_at"]
            self._describe(place, row)

    def _spaces(self, row: Row) -> None:
        space = self._space(row["guid"])
        space.name = row["name"]
        self._describe(space, row)

    def _describe(self, resource: Any, row: Row) -> None:
        resource.labels = dict(row["metadata"]["labels"])
        resource.annotations = dict(row["metadata"]["annotations"])
        resource.created_at, resource.updated_at = row["created_at"], row["updated_at"]

    def _space(self, guid: str) -> Space:
        found = self.world.spaces.get(guid)
        if found is None:
            home = next(iter(self.world.organizations.values()))
            found = self.world.spaces[guid] = Space(guid, f"space-{guid[:4]}", home)
            developer = self._developer()
            developer.roles[guid] = {"space_developer"}
        return found

    def _developer(self) -> User:
        return self.world.users[self.server.people["developer"].guid]

    def _stacks(self, row: Row) -> None:
        stack = Stack(row["name"], row["guid"], description=row["description"])
        stack.default = row["name"] == "cflinuxfs4"
        self.world.stacks[stack.name] = stack

    def _users(self, row: Row) -> None:
        user = self.world.users.setdefault(row["guid"], User(row["guid"], "", ""))
        user.name = row["username"] or ""
        user.created_at = user.updated_at = row["created_at"]

    def _roles(self, row: Row) -> None:
        place = related(row, "space") or related(row, "organization")
        guid = related(row, "user")
        user = self.world.users.setdefault(guid, User(guid, "", ""))
        name = row["type"].replace("organization_manager", "org_manager")
        user.roles.setdefault(place, set()).add(name)
        given = self.sandbox._api.roles.given
        given[user.guid, place, row["type"]] = (row["guid"], row["created_at"])

    # Apps and what is theirs.

    def _apps(self, row: Row) -> None:
        data = row["lifecycle"]["data"]
        app = App(
            row["guid"],
            row["name"],
            self._space(related(row, "space")),
            related(row, "current_droplet") or None,
            row["state"],
            len(self.world.apps) + 1,
            row["created_at"],
            row["updated_at"],
            row["lifecycle"]["type"],
        )
        app.buildpacks, app.stack = data.get("buildpacks") or None, data.get("stack")
        app.credentials = "credentials" in data
        self._describe(app, row)
        app.processes = [Process(app.guid)]
        self.world.apps[app.guid] = app

    def _app(self, guid: str) -> App:
        found = self.world.apps.get(guid)
        return found or self.invent_app(guid or UNKNOWN.replace("0", "a"))

    def invent_app(self, guid: str) -> App:
        app = App(guid, f"app-{guid[:8]}", self._space(self.server.home), f"{guid[:-1]}f")
        app.state, app.number = "STARTED", len(self.world.apps) + 1
        app.processes = [Process(guid)]
        self.world.apps[guid] = app
        return app

    def _processes(self, row: Row) -> None:
        app = self._app(related(row, "app"))
        process = next((one for one in app.processes if one.guid == row["guid"]), None)
        if process is None and row["type"] == "web":
            # A deployment has put it in the place of the last one.
            process = app.processes[0]
            process.guid = row["guid"]
        if process is None:
            process = Process(row["guid"], row["type"])
            app.processes.append(process)
        process.instances = row["instances"]
        process.memory_in_mb, process.disk_in_mb = row["memory_in_mb"], row["disk_in_mb"]
        process.log_rate = row["log_rate_limit_in_bytes_per_second"]
        process.health_check, process.readiness = row["health_check"], row["readiness_health_check"]
        if "PRIVATE" not in str(row["command"]):
            process.command = row["command"]
        self._describe(process, row)

    def _packages(self, row: Row) -> None:
        package = Package(guid=row["guid"], app=self._app(related(row, "app")), type=row["type"])
        package.state = row["state"]
        package.uploaded = row["state"] != "AWAITING_UPLOAD"
        package.image, package.username = row["data"].get("image"), row["data"].get("username")
        self._describe(package, row)
        self.shelf.packages[package.guid] = package

    def _droplets(self, row: Row) -> None:
        app = self._app(related(row, "app"))
        droplet = Droplet(guid=row["guid"], app=app, image=row.get("image"), state=row["state"])
        droplet.lifecycle, droplet.stack = row["lifecycle"]["type"], row["stack"]
        droplet.uploaded = row["state"] == "STAGED"
        link = row["links"].get("package")
        droplet.package = link["href"].rpartition("/")[2] if link else None
        types = row.get("process_types")
        if types is None or "redacted_message" not in types:
            droplet.process_types = types
        droplet.buildpacks = [one["name"] for one in row.get("buildpacks") or []]
        self._describe(droplet, row)
        self.shelf.droplets[droplet.guid] = droplet

    def _builds(self, row: Row) -> None:
        package = (row["package"] or {}).get("guid", "")
        build = Build(guid=row["guid"], app=self._app(related(row, "app")), package=package)
        build.state, build.error = row["state"], row["error"]
        build.droplet = (row["droplet"] or {}).get("guid")
        build.memory_in_mb = row["staging_memory_in_mb"]
        build.disk_in_mb = row["staging_disk_in_mb"]
        build.log_rate = row["staging_log_rate_limit_bytes_per_second"]
        build.lifecycle = row["lifecycle"]
        build.creator = tuple(row["created_by"][key] for key in ("guid", "name", "email"))
        if build.state == "STAGING":
            # By now it is over, one way or the other.
            build.state = "FAILED"
        self._describe(build, row)
        self.shelf.builds[build.guid] = build

    def _revisions(self, row: Row) -> None:
        app = self._app(related(row, "app"))
        revision = Revision(guid=row["guid"], app=app, number=row["version"])
        revision.droplet, revision.sidecars = row["droplet"]["guid"], row["sidecars"]
        revision.description = row["description"]
        revision.commands = {kind: one["command"] for kind, one in row["processes"].items()}
        self._describe(revision, row)
        self.shelf.revisions[revision.guid] = revision
        self.shelf._revisions_of.setdefault(app.guid, []).append(revision)

    def _deployments(self, row: Row) -> None:
        deployment = Deployment(guid=row["guid"], app=self._app(related(row, "app")))
        status = row["status"]
        known = status["reason"] in Phase.__members__
        deployment.phase = Phase[status["reason"]] if known else Phase.DEPLOYED
        if deployment.phase.active:
            # No other recording shows its end, but by now it is over.
            deployment.phase = Phase.DEPLOYED
        deployment.strategy = row["strategy"]
        deployment.droplet = row["droplet"]["guid"]
        deployment.previous_droplet = row["previous_droplet"]["guid"]
        deployment.max_in_flight = row["options"].get("max_in_flight", 1)
        shown = row["revision"]
        if shown:
            deployment.revision = self.shelf.revisions.get(shown["guid"]) or self._number(
                deployment.app, shown
            )
        deployment.process = row["new_processes"][0]["guid"] if row["new_processes"] else None
        self._describe(deployment, row)
        self.shelf.deployments[deployment.guid] = deployment

    def _number(self, app: App, shown: Row) -> Revision:
        """A revision of which only the number is known."""
        revision = self.shelf.snapshot(app)
        revision.guid, revision.number = shown["guid"], shown["version"]
        self.shelf.revisions[revision.guid] = revision
        rows = self.shelf._revisions_of.setdefault(app.guid, [])
        rows.append(revision)
        rows.sort(key=lambda one: one.number)
        return revision

    def _tasks(self, row: Row) -> None:
        task = Task(
            guid=row["guid"],
            app=self._app(related(row, "app")),
            command=row.get("command", "x"),
            name=row["name"],
            sequence=row["sequence_id"],
            state=row["state"],
        )
        task.memory_in_mb, task.disk_in_mb = row["memory_in_mb"], row["disk_in_mb"]
        task.droplet = row["droplet_guid"]
        task.log_rate, task.user = row["log_rate_limit_in_bytes_per_second"], row["user"]
        self._describe(task, row)
        self.shelf.tasks[task.guid] = task

    def _jobs(self, row: Row) -> None:
        job = Job(guid=row["guid"], operation=row["operation"], state=row["state"])
        job.errors = row["errors"]
        if "app" in row["links"]:
            job.resource = "app", row["links"]["app"]["href"].rpartition("/")[2]
        self.shelf.jobs[job.guid] = job

    def _sidecars(self, row: Row) -> None:
        sidecar = Sidecar(
            guid=row["guid"],
            app=self._app(related(row, "app")),
            name=row["name"],
            command=row["command"],
            process_types=row["process_types"],
            memory_in_mb=row["memory_in_mb"],
        )
        self.shelf.sidecars[sidecar.guid] = sidecar

    def _tell_variables(self) -> None:
        """Give the apps the variables and features that others saw."""
        for app in self.world.apps.values():
            variables = self.known.answer(f"/v3/apps/{app.guid}/environment_variables", "var")
            if variables is None:
                path = f"/v3/apps/{app.guid}/env"
                variables = self.known.answer(path, "environment_variables")
            app.environment = variables if isinstance(variables, dict) else None
            for feature in FEATURES:
                enabled = self.known.answer(f"/v3/apps/{app.guid}/features/{feature}", "enabled")
                if enabled is not None and enabled != FEATURES[feature]:
                    app.features = (app.features or {}) | {feature: enabled}
        for revision in self.shelf.revisions.values():
            path = f"/v3/revisions/{revision.guid}/environment_variables"
            revision.environment = self.known.answer(path, "var") or revision.app.environment or {}
        for group in self.world.environment_groups:
            path = f"/v3/environment_variable_groups/{group}"
            shown = self.known.answer(path, "var")
            self.world.environment_groups[group] = shown or self._group(group)

    def _group(self, group: str) -> dict[str, str]:
        for app in self.world.apps.values():
            shown = self.known.answer(f"/v3/apps/{app.guid}/env", f"{group}_env_json")
            if shown:
                return dict(shown)
        return {}

    # Addresses.

    def _domains(self, row: Row) -> None:
        owner = self.world.organizations.get(related(row, "organization"))
        domain = Domain(guid=row["guid"], name=row["name"], internal=row["internal"])
        domain.organization = owner
        self._describe(domain, row)
        self.sandbox.network.domains[domain.guid] = domain

    def _routes(self, row: Row) -> None:
        domain = self.sandbox.network.domains.get(related(row, "domain"))
        if domain is None:
            name = row["url"].removeprefix(f"{row['host']}.").partition("/")[0]
            domain = Domain(guid=related(row, "domain"), name=name)
            self.sandbox.network.domains[domain.guid] = domain
        space = self._space(related(row, "space"))
        route = Route(guid=row["guid"], host=row["host"], domain=domain, space=space)
        route.path, route.port, route.options = row["path"], row["port"], row.get("options") or {}
        for one in row["destinations"]:
            destination = Destination(guid=one["guid"], app=one["app"]["guid"])
            destination.port, destination.weight = one["port"], one["weight"]
            route.destinations.append(destination)
        self._describe(route, row)
        self.sandbox.network.store(route)

    # Services.

    def _service_brokers(self, row: Row) -> None:
        broker = Broker(guid=row["guid"], name=row["name"], url=row["url"])
        self._describe(broker, row)
        self.sandbox.marketplace.brokers[broker.guid] = broker

    def _service_offerings(self, row: Row) -> None:
        brokers = self.sandbox.marketplace.brokers
        guid = related(row, "service_broker")
        broker = brokers.setdefault(guid, Broker(guid=guid, name="broker"))
        offering = Offering(guid=row["guid"], name=row["name"], broker=broker)
        offering.catalog, offering.tags = row["broker_catalog"], row["tags"]
        offering.description, offering.requires = row["description"], row["requires"]
        offering.documentation_url = row["documentation_url"]
        offering.shareable = row["shareable"]
        self._describe(offering, row)
        self.sandbox.marketplace.offerings[offering.guid] = offering

    def _service_plans(self, row: Row) -> None:
        offering = self.sandbox.marketplace.offerings.get(related(row, "service_offering"))
        if offering is None:
            return
        plan = Plan(guid=row["guid"], name=row["name"], offering=offering)
        plan.catalog, plan.schemas = row["broker_catalog"], row["schemas"]
        plan.costs, plan.maintenance = row["costs"], row["maintenance_info"]
        plan.description, plan.free = row["description"], row["free"]
        self._describe(plan, row)
        self.sandbox.marketplace.plans[plan.guid] = plan

    def _plan(self, guid: str) -> Plan | None:
        """The plan with this GUID, made up if no recording shows it."""
        market = self.sandbox.marketplace
        if not guid or guid in market.plans:
            return market.plans.get(guid)
        offerings = list(market.offerings.values())
        if not offerings:
            broker = Broker(guid=UNKNOWN, name="broker")
            market.brokers[broker.guid] = broker
            offerings = [Offering(guid=UNKNOWN, name="db", broker=broker)]
            market.offerings[UNKNOWN] = offerings[0]
        market.plans[guid] = Plan(guid=guid, name="std", offering=offerings[-1])
        return market.plans[guid]

    def _service_instances(self, row: Row) -> None:
        made = ServiceInstance(
            guid=row["guid"], name=row["name"], space=self._space(related(row, "space"))
        )
        made.plan, made.tags = self._plan(related(row, "service_plan")), row["tags"]
        for name in ("dashboard_url", "syslog_drain_url", "route_service_url"):
            setattr(made, name, row.get(name))
        made.last = Operation(**row["last_operation"])
        self._describe(made, row)
        self.sandbox.marketplace.instances[made.guid] = made

    def _service_credential_bindings(self, row: Row) -> None:
        instances = self.sandbox.marketplace.instances
        guid = related(row, "service_instance")
        if guid not in instances:
            space = self._space(self.server.home)
            instances[guid] = ServiceInstance(guid=guid, name=f"si-{guid[:4]}", space=space)
        binding = Binding(guid=row["guid"], instance=instances[guid], name=row["name"])
        app = related(row, "app")
        binding.app = self._app(app) if app else None
        binding.last = Operation(**row["last_operation"])
        self._describe(binding, row)
        self.sandbox.marketplace.bindings[binding.guid] = binding

    # Events.

    def _audit_events(self, row: Row) -> None:
        parties = [tuple(row[name].values()) for name in ("actor", "target")]
        places = [(row[name] or {"guid": None})["guid"] for name in ("space", "organization")]
        event = Event(row["guid"], row["type"], *parties, *places, row["data"])  # type: ignore[arg-type]
        event.created_at = row["created_at"]
        self.sandbox.events.audit.append(event)

    # What only the request names.

    def _invent(self) -> None:
        parts = self.question.parts
        makers: dict[str, Callable[[str], Any]] = {
            "apps": self.invent_app,
            "processes": self.invent_app,
            "packages": self._invent_package,
            "droplets": self._invent_droplet,
            "builds": self._invent_build,
            "deployments": self._invent_deployment,
            "revisions": self._invent_revision,
            "tasks": self._invent_task,
            "jobs": self._invent_job,
            "service_instances": self._invent_instance,
            "users": self._invent_user,
            "roles": self._invent_role,
        }
        for kind, guid in pairwise(parts[1:]):
            if kind in makers and _is_guid(guid) and not self._has(kind, guid):
                makers[kind](guid)
        query = self.question.target.partition("source_guid=")[2][:36]
        if _is_guid(query):
            (self._package if parts[1] == "packages" else self._droplet)(query)
        self.invent_bodies()

    def invent_bodies(self) -> None:
        """Make up what the request's body names."""
        for member in walk(self.question.asked):
            self._invent_related(member)

    def _invent_related(self, member: Row) -> None:
        named: dict[str, Callable[[str], Any]] = {
            "app": self._app,
            "package": self._package,
            "droplet": self._droplet,
            "service_plan": self._plan,
            "user": self._invent_user,
        }
        for name, make in named.items():
            value = member.get(name)
            data = value.get("data", value) if isinstance(value, dict) else None
            guid = data.get("guid") if isinstance(data, dict) else None
            if isinstance(guid, str) and _is_guid(guid):
                make(guid)

    def _has(self, kind: str, guid: str) -> bool:
        market = self.sandbox.marketplace
        shelves: dict[str, Any] = {
            "apps": self.world.apps,
            "processes": self.world.apps,
            "service_instances": market.instances,
            "users": self.world.users,
        }
        if kind == "processes" and self.world.process(guid) is not None:
            return True
        return guid in (shelves.get(kind) or getattr(self.shelf, kind, {}))

    def subject(self) -> App:
        """The app that made-up resources belong to: one of the server's first space."""
        for part in [*self.question.parts, *GUID.findall(str(self.question.request["body"]))]:
            if part in self.world.apps:
                return self.world.apps[part]
        found = (app for app in self.world.apps.values() if app.space.guid == self.server.home)
        return next((app for app in found if app.droplet), None) or self.invent_app(
            UNKNOWN.replace("0", "b")
        )

    def _package(self, guid: str) -> None:
        if guid not in self.shelf.packages:
            self._invent_package(guid)

    def _droplet(self, guid: str) -> None:
        if self.shelf.droplet(guid) is None:
            self._invent_droplet(guid)

    def _invent_package(self, guid: str) -> None:
        self.shelf.packages[guid] = Package(guid=guid, app=self.subject())

    def _invent_droplet(self, guid: str) -> None:
        droplet = self.shelf.add_droplet(self.subject(), guid)
        assert droplet.guid == guid

    def _invent_build(self, guid: str) -> None:
        app = self.subject()
        build = Build(guid=guid, app=app, package=UNKNOWN, state="STAGED", droplet=app.droplet)
        self.shelf.builds[guid] = build

    def _invent_deployment(self, guid: str) -> None:
        app = self.subject()
        deployment = Deployment(guid=guid, app=app, phase=Phase.DEPLOYED, droplet=app.droplet)
        deployment.previous_droplet, deployment.process = app.droplet, f"{guid[:-1]}a"
        self.shelf.deployments[guid] = deployment

    def _invent_revision(self, guid: str) -> None:
        app = self.subject()
        revision = self.shelf.snapshot(app)
        revision.guid = guid
        self.shelf.revisions[guid] = revision
        self.shelf._revisions_of.setdefault(app.guid, []).append(revision)

    def _invent_task(self, guid: str) -> None:
        self.shelf.tasks[guid] = Task(guid=guid, app=self.subject(), command="x", name="x")

    def _invent_job(self, guid: str) -> None:
        self.shelf.jobs[guid] = Job(guid=guid, operation="app.delete", state="COMPLETE")

    def _invent_instance(self, guid: str) -> None:
        made = ServiceInstance(guid=guid, name="made-up", space=self._space(self.server.home))
        made.plan = self._plan(UNKNOWN)
        self.sandbox.marketplace.instances[guid] = made

    def _invent_role(self, guid: str) -> None:
        given = self.sandbox._api.roles.given
        if guid not in {one for one, _ in given.values()}:
            developer = self._developer()
            key = (developer.guid, self.server.home, "space_developer")
            given[key] = (guid, "2026-01-01T00:00:00Z")

    def _invent_user(self, guid: str) -> None:
        self.world.users.setdefault(guid, User(guid, "", ""))


def _is_guid(text: str) -> bool:
    return bool(GUID.fullmatch(text)) and not text.startswith("00000000-")
