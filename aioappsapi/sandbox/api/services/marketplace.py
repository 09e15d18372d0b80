"""The marketplace: service brokers, their offerings and plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aioappsapi.sandbox.api import errors, list_query
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import common_fields, listed, metadata_of, to_one
from aioappsapi.sandbox.api.query_problems import unknown_members, unknown_parameters
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.services import Broker, Marketplace, Offering, Plan

Fields = Mapping[str, tuple[str, ...]]

_NAMED: Final = ("created_at", "updated_at", "name")
_YES_NO: Final = {"available": ("true", "false")}
BROKER_FIELDS: Final = ("guid", "name")
_BROKERS: Final = ListRules(("space_guids", "names", "label_selector"), orders=_NAMED)
_OFFERINGS: Final = ListRules(
    (
        "available",
        "fields",
        "broker_catalog_ids",
        "service_broker_guids",
        "service_broker_names",
        "names",
        "space_guids",
        "organization_guids",
        "label_selector",
    ),
    orders=_NAMED,
    choices=_YES_NO,
    fields={"service_broker": BROKER_FIELDS},
)
_PLANS: Final = ListRules(
    (
        "available",
        "fields",
        "broker_catalog_ids",
        "names",
        "organization_guids",
        "service_broker_guids",
        "service_broker_names",
        "service_instance_guids",
        "service_offering_guids",
        "service_offering_names",
        "space_guids",
        "include",
        "label_selector",
    ),
    includes=("space.organization", "service_offering"),
    orders=_NAMED,
    choices=_YES_NO,
    fields={"service_offering.service_broker": BROKER_FIELDS},
)


class MarketplaceRoutes:
    """The routes of brokers, offerings and plans; all plans are public."""

    def __init__(self, marketplace: Marketplace) -> None:
        self._marketplace = marketplace

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET service_brokers": self._brokers,
            "GET service_brokers/*": self._broker,
            "GET service_offerings": self._offerings,
            "GET service_offerings/*": self._offering,
            "GET service_plans": self._plans,
            "GET service_plans/*": self._plan,
            "GET service_plans/*/visibility": self._visibility,
        }

    # Brokers belong to the platform, so only operators see them.

    def _brokers(self, call: Call) -> Answer:
        rows = self._marketplace.brokers.values() if call.reader().sees_everything else ()
        return listed(
            call,
            _BROKERS,
            rows,
            lambda broker: _broker_fields(call, broker),
            ("names", lambda broker: broker.name),
            ("space_guids", lambda _: None),
        )

    def _broker(self, call: Call, broker_guid: str) -> Answer:
        token = call.reader()
        broker = self._marketplace.brokers.get(broker_guid)
        if broker is None or not token.sees_everything:
            raise errors.not_found("Service broker")
        return Answer(200, json_text(_broker_fields(call, broker)))

    # Offerings.

    def _offerings(self, call: Call) -> Answer:
        call.reader()
        return listed(
            call,
            _OFFERINGS,
            self._marketplace.offerings.values(),
            lambda offering: offering_fields(call, offering),
            ("available", lambda _: "true"),
            ("names", lambda offering: offering.name),
            ("service_broker_guids", lambda offering: offering.broker.guid),
            ("service_broker_names", lambda offering: offering.broker.name),
            include=lambda query, rows: brokers_included(
                query.fields, "service_broker", [row.broker for row in rows]
            ),
        )

    def _offering(self, call: Call, offering_guid: str) -> Answer:
        call.reader()
        wanted = shown_fields(call, _OFFERINGS.fields)
        offering = self._marketplace.offerings.get(offering_guid)
        if offering is None:
            raise errors.not_found("Service offering")
        included = brokers_included(wanted, "service_broker", [offering.broker])
        return answer_with_included(offering_fields(call, offering), included)

    # Plans.

    def _plans(self, call: Call) -> Answer:
        call.reader()
        instances = self._marketplace.instances.values()
        return listed(
            call,
            _PLANS,
            self._marketplace.plans.values(),
            lambda plan: _plan_fields(call, plan),
            ("available", lambda _: "true"),
            ("names", lambda plan: plan.name),
            ("broker_catalog_ids", lambda plan: plan.catalog.get("id")),
            ("service_offering_guids", lambda plan: plan.offering.guid),
            ("service_offering_names", lambda plan: plan.offering.name),
            ("service_broker_guids", lambda plan: plan.offering.broker.guid),
            ("service_broker_names", lambda plan: plan.offering.broker.name),
            ("service_instance_guids", lambda plan: [i.guid for i in instances if i.plan is plan]),
            include=lambda query, rows: _plans_included(call, query, rows),
        )

    def _found(self, plan_guid: str) -> Plan:
        plan = self._marketplace.plans.get(plan_guid)
        if plan is None:
            raise errors.not_found("Service plan")
        return plan

    def _plan(self, call: Call, plan_guid: str) -> Answer:
        call.reader()
        wanted = shown_fields(call, _PLANS.fields, ("include",))
        plan = self._found(plan_guid)
        includes = tuple(list_query.decode(call.query).get("include", "").split(","))
        included = brokers_included(
            wanted, "service_offering.service_broker", [plan.offering.broker]
        )
        if "service_offering" in includes:
            included["service_offerings"] = [offering_fields(call, plan.offering)]
        return answer_with_included(_plan_fields(call, plan), included)

    def _visibility(self, call: Call, plan_guid: str) -> Answer:
        call.reader()
        self._found(plan_guid)
        return Answer(200, json_text({"type": "public"}))


def shown_fields(call: Call, known: Fields, others: tuple[str, ...] = ()) -> Fields:
    """Return the requested members of related resources for a request for one resource."""
    given = list_query.decode(call.query)
    names = dict.fromkeys(name.partition("[")[0] for name in given)
    problems = unknown_parameters(names, (*others, "fields"))
    requested = {n[7:-1]: v for n, v in given.items() if n.startswith("fields[")}
    wanted = {resource: tuple(text.split(",")) for resource, text in requested.items()}
    problems += unknown_members(wanted, known)
    if problems:
        raise errors.bad_query(problems)
    return wanted


def answer_with_included(fields: Json, included: Json) -> Answer:
    """Answer with one resource and the requested related resources."""
    return Answer(200, json_text(fields | ({"included": included} if included else {})))


def brokers_included(
    wanted: Fields, resource: str, brokers: Sequence[Broker]
) -> dict[str, list[Json]]:
    """Return the requested members of the brokers, without duplicates."""
    if resource not in wanted:
        return {}
    rows = {broker.guid: broker for broker in brokers}.values()
    names = [name for name in ("name", "guid") if name in wanted[resource]]
    return {"service_brokers": [{name: getattr(row, name) for name in names} for row in rows]}


def _plans_included(call: Call, query: list_query.ListQuery, plans: Sequence[Plan]) -> Json:
    resource = "service_offering.service_broker"
    included: Json = {}
    if "service_offering" in query.includes:
        offerings = {plan.offering.guid: plan.offering for plan in plans}.values()
        included["service_offerings"] = [offering_fields(call, one) for one in offerings]
    if "space.organization" in query.includes:
        # Only plans of a broker of one space would include that space.
        included |= {"spaces": [], "organizations": []}
    brokers = [plan.offering.broker for plan in plans]
    return included | brokers_included(query.fields, resource, brokers)


def _broker_fields(call: Call, broker: Broker) -> Json:
    base = call.views.base
    offerings = f"{base}/v3/service_offerings?service_broker_guids={broker.guid}"
    return common_fields(broker) | {
        "name": broker.name,
        "url": broker.url,
        "relationships": {},
        "metadata": metadata_of(broker),
        "links": {
            "self": {"href": f"{base}/v3/service_brokers/{broker.guid}"},
            "service_offerings": {"href": offerings},
        },
    }


def offering_fields(call: Call, offering: Offering) -> Json:
    """Return the members of an offering."""
    base, guid = call.views.base, offering.guid
    plans = f"{base}/v3/service_plans?service_offering_guids={guid}"
    return common_fields(offering) | {
        "name": offering.name,
        "description": offering.description,
        "available": True,
        "tags": offering.tags,
        "requires": offering.requires,
        "shareable": offering.shareable,
        "documentation_url": offering.documentation_url,
        "broker_catalog": offering.catalog,
        "relationships": {"service_broker": to_one(offering.broker.guid)},
        "metadata": metadata_of(offering),
        "links": {
            "self": {"href": f"{base}/v3/service_offerings/{guid}"},
            "service_plans": {"href": plans},
            "service_broker": {"href": f"{base}/v3/service_brokers/{offering.broker.guid}"},
        },
    }


def _plan_fields(call: Call, plan: Plan) -> Json:
    base = call.views.base
    at = f"{base}/v3/service_plans/{plan.guid}"
    return common_fields(plan) | {
        "name": plan.name,
        "visibility_type": "public",
        "available": True,
        "free": plan.free,
        "costs": plan.costs,
        "description": plan.description,
        "maintenance_info": plan.maintenance,
        "broker_catalog": plan.catalog,
        "schemas": plan.schemas,
        "relationships": {"service_offering": to_one(plan.offering.guid)},
        "metadata": metadata_of(plan),
        "links": {
            "self": {"href": at},
            "service_offering": {"href": f"{base}/v3/service_offerings/{plan.offering.guid}"},
            "visibility": {"href": f"{at}/visibility"},
        },
    }
