"""Service instances: managed by a broker, or provided by a user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.sandbox.api import errors, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, Access, holds
from aioappsapi.sandbox.api.answer import Answer, json_text, no_content
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import common_fields, listed, metadata_of, to_one
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.services.marketplace import (
    BROKER_FIELDS,
    Fields,
    answer_with_included,
    brokers_included,
    shown_fields,
)
from aioappsapi.sandbox.api.services.service_checks import new_instance_problems
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import Space, guid
from aioappsapi.sandbox.world.realm import Realm
from aioappsapi.sandbox.world.resources import Job
from aioappsapi.sandbox.world.services import Operation, ServiceInstance

_TYPES: Final = ("managed", "user-provided")
_OFFERING: Final = "service_plan.service_offering"
_BROKER: Final = f"{_OFFERING}.service_broker"
_FIELDS: Final = {
    "space": ("guid", "name", "relationships.organization"),
    "space.organization": ("name", "guid"),
    "service_plan": ("guid", "name", "relationships.service_offering"),
    _OFFERING: (
        "name",
        "guid",
        "description",
        "documentation_url",
        "tags",
        "relationships.service_broker",
    ),
    _BROKER: BROKER_FIELDS,
}
# For one instance the server knows fewer members than for a list.
_SHOWN_FIELDS: Final = _FIELDS | {
    "space": ("name", "guid"),
    "space.organization": ("name", "guid"),
    "service_plan": ("name", "guid"),
    _BROKER: ("name", "guid"),
}
_INSTANCES: Final = ListRules(
    (
        "type",
        "fields",
        "names",
        "space_guids",
        "organization_guids",
        "service_plan_guids",
        "service_plan_names",
        "label_selector",
    ),
    choices={"type": _TYPES},
    fields=_FIELDS,
)
_MADE_OF: Final = (
    "type",
    "name",
    "relationships",
    "tags",
    "metadata",
    "credentials",
    "parameters",
    "syslog_drain_url",
    "route_service_url",
)


class ServiceInstances:
    """The routes of service instances."""

    def __init__(self, realm: Realm, access: Access, jobs: Jobs) -> None:
        self._world = realm.world
        self._marketplace = realm.marketplace
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET service_instances": self._list,
            "GET service_instances/*": self._show,
            "POST service_instances": self._create,
            "DELETE service_instances/*": self._delete,
            "GET service_instances/*/credentials": self._credentials,
            "GET service_instances/*/parameters": self._parameters,
            "GET service_instances/*/permissions": self._permissions,
        }

    def _list(self, call: Call) -> Answer:
        token = call.reader()
        rows = self._marketplace.instances.values()
        return listed(
            call,
            _INSTANCES,
            [row for row in rows if token.reads(row.space)],
            lambda row: instance_fields(call, row),
            ("names", lambda row: row.name),
            ("type", lambda row: row.type),
            ("space_guids", lambda row: row.space.guid),
            ("organization_guids", lambda row: row.space.organization.guid),
            ("service_plan_guids", lambda row: row.plan.guid if row.plan else None),
            ("service_plan_names", lambda row: row.plan.name if row.plan else None),
            include=lambda query, found: _included(query.fields, found),
        )

    def _found(self, token: Token, instance_guid: str) -> ServiceInstance:
        row = self._marketplace.instances.get(instance_guid)
        if row is None or not token.reads(row.space):
            raise errors.not_found("Service instance")
        return row

    def _show(self, call: Call, instance_guid: str) -> Answer:
        row = self._found(call.reader(), instance_guid)
        wanted = shown_fields(call, _SHOWN_FIELDS)
        return answer_with_included(instance_fields(call, row), _included(wanted, [row]))

    def _credentials(self, call: Call, instance_guid: str) -> Answer:
        token = call.reader()
        row = self._found(token, instance_guid)
        if row.plan is not None:
            raise errors.not_found("Service instance")
        if not self._access.reads_secrets(token, row.space):
            raise errors.not_authorized()
        return Answer(200, json_text(row.credentials))

    def _parameters(self, call: Call, instance_guid: str) -> Answer:
        row = self._found(call.reader(), instance_guid)
        plan = row.plan
        if plan is not None and (row.last.type, row.last.state) == ("create", "failed"):
            raise errors.not_found("Service instance")
        if plan is None or not plan.offering.has("instances_retrievable"):
            raise errors.parameters_not_kept("instance")
        return Answer(200, json_text(row.parameters))

    def _permissions(self, call: Call, instance_guid: str) -> Answer:
        token = call.reader()
        row = self._marketplace.instances.get(instance_guid)
        if row is None:
            raise errors.not_found("Service instance")
        suspended = row.space.suspended or row.space.organization.suspended
        manages = holds(token, row.space, DEVELOPERS) and not suspended
        shown = {"manage": token.is_admin or manages, "read": token.reads(row.space)}
        return Answer(200, json_text(shown))

    # Creating and deleting.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        if not token.is_admin:
            self._access.check_flag(token, "service_instance_creation")
        for problems in new_instance_problems(fields):
            validation.refuse(problems)
        links = fields["relationships"]
        space = self._world.spaces.get(text_at(links, "space", "data", "guid"))
        if space is None or not token.reads(space):
            raise errors.unprocessable(
                "Invalid space. Ensure that the space exists and you have access to it."
            )
        self._access.check_change(token, space, DEVELOPERS)
        row = self._new(fields, space)
        if fields["type"] == "user-provided":
            row.last.description = "Operation succeeded"
            return Answer(201, json_text(instance_fields(call, row)))
        row.last.state = "in progress"
        job = self._jobs.begin(
            "service_instance.create",
            ("service_instances", row.guid),
            lambda job: self._made(row, job),
        )
        return self._jobs.accepted(call, job)

    def _new(self, fields: Json, space: Space) -> ServiceInstance:
        plan = None
        if fields["type"] == "managed":
            requested = text_at(fields, "relationships", "service_plan", "data", "guid")
            plan = self._marketplace.plans.get(requested)
            if plan is None:
                raise errors.unprocessable(
                    "Invalid service plan. Ensure that the service plan exists, is available, "
                    "and you have access to it."
                )
        rows = self._marketplace.instances.values()
        if any(row.space is space and row.name == fields["name"] for row in rows):
            raise errors.unprocessable(f"The service instance name is taken: {fields['name']}.")
        row = ServiceInstance(
            guid=guid(self._world.rng), name=fields["name"], space=space, plan=plan
        )
        for name in ("tags", "credentials", "parameters", "syslog_drain_url", "route_service_url"):
            if fields.get(name):
                setattr(row, name, fields[name])
        validation.merge_metadata(fields, row.labels, row.annotations)
        self._marketplace.instances[row.guid] = row
        return row

    def _made(self, row: ServiceInstance, job: Job) -> None:
        error = self._marketplace.broker_error
        row.last = Operation(state="failed" if error else "succeeded", description=error or "")
        if error:
            fail(job, f"Service instance {row.name}: Service broker error: {error}")

    def _delete(self, call: Call, instance_guid: str) -> Answer:
        token = call.writer()
        row = self._found(token, instance_guid)
        self._access.check_change(token, row.space, DEVELOPERS)
        if row.last.state == "in progress":
            raise errors.unprocessable(
                "There is an operation in progress for the service instance."
            )
        if row.plan is None:
            self._remove(row)
            return no_content()
        job = self._jobs.begin(
            "service_instance.delete",
            ("service_instance", row.guid),
            lambda job: self._end(row, job),
        )
        return self._jobs.accepted(call, job)

    def _end(self, row: ServiceInstance, job: Job) -> None:
        error = self._marketplace.broker_error
        if error:
            row.last = Operation(type="delete", state="failed", description=error)
            fail(job, f"Service instance {row.name}: Service broker error: {error}")
        else:
            self._remove(row)

    def _remove(self, row: ServiceInstance) -> None:
        self._marketplace.instances.pop(row.guid, None)
        bindings = self._marketplace.bindings
        for guid_of_binding in [b.guid for b in bindings.values() if b.instance is row]:
            del bindings[guid_of_binding]


def fail(job: Job, detail: str) -> None:
    """End a job with the broker's error."""
    error = errors.unprocessable(detail)
    job.state = "FAILED"
    job.errors = [{"detail": error.detail, "title": error.title, "code": error.code}]


def operation_fields(last: Operation, *names: str) -> Json:
    """Return the last operation, with its members in the server's order."""
    return {name: getattr(last, name) for name in (*names, "updated_at", "created_at")}


def instance_fields(call: Call, row: ServiceInstance) -> Json:
    """Return the members of a service instance."""
    base = call.views.base
    at = f"{base}/v3/service_instances/{row.guid}"
    kinds = ("service_credential_bindings", "service_route_bindings")
    links = {"self": at, "space": f"{base}/v3/spaces/{row.space.guid}"}
    links |= {kind: f"{base}/v3/{kind}?service_instance_guids={row.guid}" for kind in kinds}
    relationships = {"space": to_one(row.space.guid)}
    own: Json = {
        "syslog_drain_url": row.syslog_drain_url,
        "route_service_url": row.route_service_url,
    }
    if row.plan is None:
        links["credentials"] = f"{at}/credentials"
    else:
        own = {
            "maintenance_info": row.plan.maintenance,
            "upgrade_available": False,
            "dashboard_url": row.dashboard_url,
        }
        relationships["service_plan"] = to_one(row.plan.guid)
        links["service_plan"] = f"{base}/v3/service_plans/{row.plan.guid}"
        links["parameters"] = f"{at}/parameters"
        links["shared_spaces"] = f"{at}/relationships/shared_spaces"
    return common_fields(row) | {
        "name": row.name,
        "tags": row.tags,
        "last_operation": operation_fields(row.last, "type", "state", "description"),
        "type": row.type,
        **own,
        "relationships": relationships,
        "metadata": metadata_of(row),
        "links": {name: {"href": href} for name, href in links.items()},
    }


def _included(wanted: Fields, rows: Sequence[ServiceInstance]) -> Json:
    spaces = {row.space.guid: row.space for row in rows}.values()
    plans = {row.plan.guid: row.plan for row in rows if row.plan is not None}.values()
    offerings = {plan.offering.guid: plan.offering for plan in plans}.values()
    homes = {space.organization.guid: space.organization for space in spaces}.values()
    included: Json = {}
    for resource, key, found in (
        ("space", "spaces", spaces),
        ("space.organization", "organizations", homes),
        ("service_plan", "service_plans", plans),
        (_OFFERING, "service_offerings", offerings),
    ):
        if resource in wanted:
            names = [name for name in _FIELDS[resource] if name in wanted[resource]]
            included[key] = [_some_members(one, names) for one in found]
    return included | brokers_included(wanted, _BROKER, [one.broker for one in offerings])


def _some_members(one: object, names: Sequence[str]) -> Json:
    shown: Json = {}
    for name in names:
        related = name.partition("relationships.")[2]
        if related:
            other = getattr(one, related.removeprefix("service_"))
            shown["relationships"] = {related: to_one(other.guid)}
        else:
            shown[name] = getattr(one, name)
    return shown
