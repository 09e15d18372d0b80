"""Service offerings and plans of brokers, and service instances and bindings in spaces."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App, Space, guid_of, timestamp
from aioappsapi.sandbox.world.resources import Resource
from aioappsapi.sandbox.world.state import World

_BEGIN: Final = "2026-01-01T00:00:00Z"


@dataclass(slots=True, kw_only=True)
class Broker(Resource):
    """A program that creates service instances."""

    name: str
    url: str = "https://broker.sandbox.example"


@dataclass(slots=True, kw_only=True)
class Offering(Resource):
    """A kind of service."""

    name: str
    broker: Broker
    description: str = ""
    tags: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    shareable: bool = False
    documentation_url: str = ""
    catalog: Json = field(default_factory=dict)

    def has(self, feature: str) -> bool:
        """Check whether the catalog has a feature."""
        return bool(self.catalog.get("features", {}).get(feature))


@dataclass(slots=True, kw_only=True)
class Plan(Resource):
    """A size of a service, with its price."""

    name: str
    offering: Offering
    description: str = ""
    free: bool = True
    costs: list[Json] = field(default_factory=list)
    maintenance: dict[str, str] = field(default_factory=dict)
    schemas: Json = field(default_factory=dict)
    catalog: Json = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Operation:
    """The last operation on an instance or a binding, and its result."""

    type: str = "create"
    state: str = "succeeded"
    description: str | None = None
    updated_at: str = field(default_factory=timestamp)
    created_at: str = field(default_factory=timestamp)


@dataclass(slots=True, kw_only=True)
class ServiceInstance(Resource):
    """A service in a space; without a plan it is provided by a user."""

    name: str
    space: Space
    plan: Plan | None = None
    tags: list[str] = field(default_factory=list)
    last: Operation = field(default_factory=Operation)
    dashboard_url: str | None = None
    syslog_drain_url: str | None = None
    route_service_url: str | None = None
    credentials: Json = field(default_factory=dict)
    parameters: Json = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type of the instance, as the API names it."""
        return "user-provided" if self.plan is None else "managed"


@dataclass(slots=True, kw_only=True)
class Binding(Resource):
    """The credentials of an instance, for an app or, without one, as a key."""

    instance: ServiceInstance
    app: App | None = None
    name: str | None = None
    last: Operation = field(default_factory=Operation)
    credentials: Json = field(default_factory=dict)
    parameters: Json = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type of the binding, as the API names it."""
        return "key" if self.app is None else "app"

    @property
    def space(self) -> Space:
        """The space of the binding."""
        return self.instance.space if self.app is None else self.app.space


class Marketplace:
    """Everything about services, in dictionaries by GUID in the order of creation.

    At first there is one broker of a database. The first space has an instance of it and a
    user-provided instance, both bound to the first app. `broker_error` makes the broker fail.
    """

    def __init__(self, world: World) -> None:
        self.brokers: dict[str, Broker] = {}
        self.offerings: dict[str, Offering] = {}
        self.plans: dict[str, Plan] = {}
        self.instances: dict[str, ServiceInstance] = {}
        self.bindings: dict[str, Binding] = {}
        self.broker_error: str | None = None
        self._stock(world)

    def count_in(self, spaces: Collection[Space]) -> int:
        """Return how many managed instances these spaces have."""
        rows = self.instances.values()
        return sum(row.plan is not None and row.space in spaces for row in rows)

    def count_keys(self, spaces: Collection[Space]) -> int:
        """Return how many keys these spaces have."""
        return sum(row.app is None and row.space in spaces for row in self.bindings.values())

    def bindings_of(self, app: App) -> list[Binding]:
        """Return the bindings of an app."""
        return [binding for binding in self.bindings.values() if binding.app is app]

    def variables(self, app: App) -> Json:
        """Return the value of VCAP_SERVICES for an app."""
        found: Json = {}
        for binding in self.bindings_of(app):
            plan = binding.instance.plan
            label = "user-provided" if plan is None else plan.offering.name
            found.setdefault(label, []).append(_variables(binding, label))
        return found

    def forget_app(self, app: App) -> None:
        """Remove the bindings of a deleted app."""
        for binding in self.bindings_of(app):
            del self.bindings[binding.guid]

    def _stock(self, world: World) -> None:
        broker = Broker(guid=guid_of("broker"), name="sandbox-broker")
        offering = _database(broker)
        plans = [_plan(offering, "small", 0.0), _plan(offering, "large", 99.0)]
        _dated(broker, offering, *plans)
        self.brokers[broker.guid] = broker
        self.offerings[offering.guid] = offering
        self.plans |= {plan.guid: plan for plan in plans}
        self._stock_first_space(world, plans[0])

    def _stock_first_space(self, world: World, plan: Plan) -> None:
        space = next(iter(world.spaces.values()))
        database = ServiceInstance(guid=guid_of("my-db"), name="my-db", space=space, plan=plan)
        database.dashboard_url = "https://dashboard.sandbox.example/my-db"
        own = ServiceInstance(guid=guid_of("my-ups"), name="my-ups", space=space)
        own.credentials = {"url": "https://ups.sandbox.example"}
        rows = [database, own]
        self.instances |= {row.guid: row for row in rows}
        app = next((app for app in world.apps.values() if app.space is space), None)
        bindings = [Binding(guid=guid_of("bound", r.name), instance=r, app=app) for r in rows]
        if app is not None:
            self.bindings |= {binding.guid: binding for binding in bindings}
        _dated(*rows, *bindings)
        for last in (*(row.last for row in rows), *(row.last for row in bindings)):
            last.created_at = last.updated_at = _BEGIN


def _dated(*rows: Resource) -> None:
    for row in rows:
        row.created_at = row.updated_at = _BEGIN


def _database(broker: Broker) -> Offering:
    offering = Offering(guid=guid_of("offering"), name="postgres-db", broker=broker)
    offering.description = "A relational database"
    offering.tags = ["postgres", "relational"]
    features = (
        "plan_updateable",
        "bindable",
        "instances_retrievable",
        "bindings_retrievable",
        "allow_context_updates",
    )
    offering.catalog = {
        "id": "postgres-db",
        "metadata": {"displayName": "PostgreSQL"},
        "features": dict.fromkeys(features, True),
    }
    return offering


def _plan(offering: Offering, name: str, amount: float) -> Plan:
    plan = Plan(guid=guid_of("plan", name), name=name, offering=offering, free=not amount)
    plan.description = f"{name.capitalize()} database"
    if amount:
        plan.costs = [{"currency": "USD", "amount": amount, "unit": "MONTHLY"}]
    plan.schemas = {
        "service_instance": {"create": {"parameters": {}}, "update": {"parameters": {}}},
        "service_binding": {"create": {"parameters": {}}},
    }
    plan.catalog = {
        "id": f"plan-{name}",
        "metadata": {},
        "maximum_polling_duration": None,
        "features": {"bindable": True, "plan_updateable": True},
    }
    return plan


def _variables(binding: Binding, label: str) -> Json:
    instance = binding.instance
    fields: Json = {"label": label}
    if instance.plan is not None:
        fields |= {"provider": None, "plan": instance.plan.name}
    return fields | {
        "name": binding.name or instance.name,
        "tags": [*(instance.plan.offering.tags if instance.plan else ()), *instance.tags],
        "instance_guid": instance.guid,
        "instance_name": instance.name,
        "binding_guid": binding.guid,
        "binding_name": binding.name,
        "credentials": binding.credentials or instance.credentials,
        "syslog_drain_url": instance.syslog_drain_url,
        "volume_mounts": [],
    }
