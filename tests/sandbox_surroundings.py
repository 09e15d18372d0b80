"""What is around the apps in the recordings: people, addresses, services, quotas and events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from aioappsapi.sandbox import Faults, Sandbox
from aioappsapi.sandbox.api.platform.events import Event
from aioappsapi.sandbox.world.model import Process, Space, User
from aioappsapi.sandbox.world.network import Destination, Domain, Route
from aioappsapi.sandbox.world.resources import Sidecar
from aioappsapi.sandbox.world.services import (
    Binding,
    Broker,
    Offering,
    Operation,
    Plan,
    ServiceInstance,
)
from aioappsapi.sandbox.world.state import World

from .replay import RECORDINGS
from .sandbox_stock import GUID, WEB_SHOP, walk

# The member that tells the kind of a resource, in the order in which they need each other.
SIGNS = {
    "user": "presentation_name",
    "domain": "router_group",
    "route": "url destinations",
    "broker": "url relationships",
    "offering": "shareable",
    "plan": "visibility_type",
    "instance": "last_operation tags",
    "binding": "last_operation",
    "sidecar": "origin process_types",
    "event": "actor",
    "role": "type relationships",
}


def _kind(fields: dict[str, Any]) -> str | None:
    if not {"guid", "created_at", "links"} <= set(fields) and "origin" not in fields:
        return None
    for kind, signs in SIGNS.items():
        if set(signs.split()) <= set(fields):
            is_role = "user" in (fields.get("relationships") or {})
            return kind if kind != "role" or is_role else None
    return None


@cache
def around() -> dict[str, list[dict[str, Any]]]:
    """Everything around the apps that any recording shows, in the order of creation."""
    found: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in SIGNS}
    for path in sorted(RECORDINGS.glob("*.json")):
        for fields in walk(json.loads(path.read_text())["response"].get("json")):
            kind = _kind(fields)
            if kind is not None:
                found[kind].setdefault(fields["guid"], fields)
    return {
        kind: sorted(rows.values(), key=lambda row: str(row["created_at"]))
        for kind, rows in found.items()
    }


def _related(fields: dict[str, Any], name: str) -> str:
    relation = fields["relationships"].get(name) or {"data": None}
    return (relation["data"] or {"guid": ""})["guid"]


class Surroundings:
    """The part of a recording's world that no app owns."""

    name: str
    request: dict[str, Any]
    response: dict[str, Any]
    headers: dict[str, str]
    json: Any
    parts: list[str]
    sandbox: Sandbox
    world: World

    def invent(self, guid: str) -> None:
        """Make up an app that no recording shows."""
        raise NotImplementedError

    @property
    def user(self) -> User | None:
        """The one who asks."""
        raise NotImplementedError

    def _surround(self) -> None:
        """Put everything recorded into the world, but for what this very request makes."""
        market = self.sandbox.marketplace
        network = self.sandbox.network
        for shelf in (market.brokers, market.offerings, market.plans, market.instances):
            shelf.clear()
        market.bindings.clear()
        network.domains.clear()
        self._date_roles()
        for kind in SIGNS:
            make: Callable[[dict[str, Any]], None] = getattr(self, f"_{kind}")
            for row in self._rows(kind):
                make(row)
        self._add_named()
        self._tell_parameters()

    def _rows(self, kind: str) -> Iterator[dict[str, Any]]:
        """The recorded rows, as this recording shows them where it does."""
        own = {row.get("guid"): row for row in walk(self.json) if _kind(row) == kind}
        made = self.json.get("guid") if isinstance(self.json, dict) else None
        for row in around()[kind]:
            if self.request["method"] != "POST" or row["guid"] != made:
                yield own.get(row["guid"], row)

    def _space(self, guid: str, name: str) -> Space:
        """The space with this GUID, made if need be."""
        raise NotImplementedError

    def _home(self, row: dict[str, Any]) -> Space:
        guid = _related(row, "space")
        return self._space(guid, f"space-{guid[:4]}")

    # People.

    def _date_roles(self) -> None:
        """Those of the test's own people come last, so that the recorded ones are the first."""
        given = self.sandbox._api.roles.given
        for user in self.world.users.values():
            for place, kinds in user.roles.items():
                for kind in kinds:
                    name = kind.replace("org_", "organization_", 1)
                    key = (user.guid, place, name)
                    given[key] = (f"own-{len(given)}", "2027-01-01T00:00:00Z")

    def _user(self, row: dict[str, Any]) -> None:
        user = User(row["guid"], row["username"] or "", "", created_at=row["created_at"])
        self.world.users[user.guid] = user

    def _role(self, row: dict[str, Any]) -> None:
        place = _related(row, "space") or _related(row, "organization")
        user = self.world.users.get(_related(row, "user"))
        if user is None:
            user = User(_related(row, "user"), "", "")
            self.world.users[user.guid] = user
        user.roles.setdefault(place, set()).add(
            row["type"].replace("organization_manager", "org_manager")
        )
        # All within a second, but first the organization's.
        moment = row["created_at"][:-1] + (".2Z" if _related(row, "space") else ".1Z")
        self.sandbox._api.roles.given[user.guid, place, row["type"]] = (row["guid"], moment)

    # Addresses.

    def _domain(self, row: dict[str, Any]) -> None:
        owner = self.world.organizations.get(_related(row, "organization"))
        domain = Domain(guid=row["guid"], name=row["name"], internal=row["internal"])
        domain.organization = owner
        self.sandbox.network.domains[domain.guid] = domain

    def _route(self, row: dict[str, Any]) -> None:
        domain = self.sandbox.network.domains[_related(row, "domain")]
        route = Route(guid=row["guid"], host=row["host"], domain=domain, space=self._home(row))
        route.labels = dict(row["metadata"]["labels"])
        route.destinations = [
            Destination(guid=one["guid"], app=one["app"]["guid"]) for one in row["destinations"]
        ]
        self.sandbox.network.keep(route)

    # Services.

    def _broker(self, row: dict[str, Any]) -> None:
        if not row["relationships"]:
            broker = Broker(guid=row["guid"], name=row["name"], url=row["url"])
            self.sandbox.marketplace.brokers[broker.guid] = broker

    def _offering(self, row: dict[str, Any]) -> None:
        broker = self.sandbox.marketplace.brokers[_related(row, "service_broker")]
        offering = Offering(guid=row["guid"], name=row["name"], broker=broker)
        offering.catalog, offering.tags = row["broker_catalog"], row["tags"]
        offering.description, offering.requires = row["description"], row["requires"]
        offering.documentation_url = row["documentation_url"]
        offering.shareable = row["shareable"]
        self.sandbox.marketplace.offerings[offering.guid] = offering

    def _plan(self, row: dict[str, Any]) -> None:
        offering = self.sandbox.marketplace.offerings[_related(row, "service_offering")]
        plan = Plan(guid=row["guid"], name=row["name"], offering=offering)
        plan.catalog, plan.schemas = row["broker_catalog"], row["schemas"]
        plan.costs, plan.maintenance = row["costs"], row["maintenance_info"]
        plan.description, plan.free = row["description"], row["free"]
        self.sandbox.marketplace.plans[plan.guid] = plan

    def _instance(self, row: dict[str, Any]) -> None:
        guid = _related(row, "service_plan")
        plan = self._known_plan(guid) if guid else None
        made = ServiceInstance(guid=row["guid"], name=row["name"], space=self._home(row))
        made.plan, made.tags = plan, row["tags"]
        for name in ("created_at", "dashboard_url", "syslog_drain_url", "route_service_url"):
            setattr(made, name, row.get(name))
        made.last = Operation(**row["last_operation"])
        self.sandbox.marketplace.instances[made.guid] = made

    def _known_plan(self, guid: str) -> Plan:
        """The plan with this GUID, one of the last offering if no recording shows it."""
        plans = self.sandbox.marketplace.plans
        offering = list(self.sandbox.marketplace.offerings.values())[2]
        return plans.setdefault(guid, Plan(guid=guid, name="std", offering=offering))

    def _binding(self, row: dict[str, Any]) -> None:
        market = self.sandbox.marketplace
        app_guid = _related(row, "app")
        instance = market.instances.get(_related(row, "service_instance"))
        if app_guid and app_guid not in self.world.apps:
            self.invent(app_guid)
        if instance is None:
            return
        binding = Binding(guid=row["guid"], instance=instance, name=row["name"])
        binding.app = self.world.apps[app_guid] if app_guid else None
        binding.last = Operation(**row["last_operation"])
        market.bindings[binding.guid] = binding
        for variables in walk(self.json):
            if variables.get("binding_guid") == binding.guid:
                binding.credentials = variables["credentials"]

    # Sidecars and events.

    def _sidecar(self, row: dict[str, Any]) -> None:
        sidecar = Sidecar(
            guid=row["guid"],
            app=self.world.apps[_related(row, "app")],
            name=row["name"],
            command=row["command"],
            process_types=row["process_types"],
            memory_in_mb=row["memory_in_mb"],
        )
        self.sandbox.shelf.sidecars[sidecar.guid] = sidecar

    def _event(self, row: dict[str, Any]) -> None:
        parties = [tuple(row[name].values()) for name in ("actor", "target")]
        places = [(row[name] or {"guid": None})["guid"] for name in ("space", "organization")]
        event = Event(row["guid"], row["type"], *parties, *places, row["data"])  # type: ignore[arg-type]
        event.created_at = row["created_at"]
        self.sandbox.events.audit.append(event)

    # What only the request tells of.

    def _add_named(self) -> None:
        kind, method = self.parts[1:2], self.request["method"]
        body = str(self.request["body"])
        if kind == ["users"] and method == "POST":
            guid = json.loads(body)["guid"]
            self.world.users[guid] = User(guid, "", "")
        if kind == ["service_instances"] and '"service_plan"' in body:
            self._known_plan(GUID.findall(body)[-1])
        if kind == ["service_credential_bindings"] and method == "POST":
            guid = GUID.findall(body)[0]
            if guid not in self.world.apps:
                self.invent(guid)
        if kind == ["organization_quotas"]:
            self.world.organizations[next(iter(self.world.organizations))].quota_guid = self.json[
                "resources"
            ][0]["guid"]
        if kind == ["app_usage_events"]:
            for _ in range(self.json["pagination"]["total_results"]):
                self.sandbox.events.switched(self.world.apps[WEB_SHOP], "STARTED", "STOPPED")
        if kind == ["audit_events"] and "resources" in self.json:
            self._pad_events()
        if kind == ["environment_variable_groups"]:
            self.world.environment_groups[self.parts[-1]] = self.json["var"]
        if self.parts[-1] == "manifest":
            self._set_up_web_shop()
        for row in walk(self.json):
            if "environment_json" in row.get("entity", {}):
                app = self.world.apps.get(row["metadata"]["guid"])
                if app is not None:
                    app.environment = row["entity"]["environment_json"]

    def _set_up_web_shop(self) -> None:
        """Give the app all that its manifest tells."""
        app = self.world.apps[WEB_SHOP]
        app.environment = {"LOG_LEVEL": "info", "FEATURE_X": "on", "S": "1"}
        web = app.processes[0]
        web.instances, web.memory_in_mb, web.disk_in_mb, web.log_rate = 2, 512, 512, 1024
        web.command = "rackup"
        web.health_check = {
            "type": "http",
            "data": {"endpoint": "/health", "invocation_timeout": 5, "interval": 10, "timeout": 30},
        }
        web.readiness = {"type": "port", "data": {"interval": 5}}
        app.processes.append(Process(f"{WEB_SHOP[:-1]}9", "worker", 0))

    def _pad_events(self) -> None:
        """As many events on all pages as there were."""
        row = self.json["resources"][0]
        year = 2025 if "order_by=-" in self.request["target"] else 2027
        for number in range(self.json["pagination"]["total_results"]):
            self._event({**row, "guid": f"more-{number}", "created_at": f"{year}-01-01T00:00:00Z"})

    def _tell_parameters(self) -> None:
        if self.parts[-1] in {"parameters", "credentials"} and self.response["status"] == 200:
            market = self.sandbox.marketplace
            row: Any = market.instances.get(self.parts[2]) or market.bindings[self.parts[2]]
            setattr(row, self.parts[-1], self.json)

    def _limit_version_two(self) -> None:
        """Let as much of /v2's own limit be used up as the recording's headers tell."""
        self.sandbox.faults = Faults(
            rate_limit=20, rate_window=60, limit_admins=False, v2_rate_limit=5
        )
        limit = int(self.headers.get("x-ratelimit-limit-v2-api", 0))
        if limit and self.user is not None:
            used = limit if self.response["status"] == 429 else 0
            windows = self.sandbox._api._two._limiter._windows
            windows[self.user.guid] = (used, time.time() + 30)
