"""Service credential bindings: between apps and service instances, and as keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, SUPPORTERS, Access
from aioappsapi.sandbox.api.answer import Answer, json_text, no_content
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import common_fields, listed, metadata_of, to_one
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.services.marketplace import answer_with_included
from aioappsapi.sandbox.api.services.service_checks import new_binding_problems
from aioappsapi.sandbox.api.services.service_instances import (
    fail,
    instance_fields,
    operation_fields,
)
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App, guid
from aioappsapi.sandbox.world.realm import Realm
from aioappsapi.sandbox.world.resources import Job
from aioappsapi.sandbox.world.services import Binding, Operation, Plan, ServiceInstance

_TYPES: Final = ("app", "key")
_BINDINGS: Final = ListRules(
    (
        "names",
        "service_instance_guids",
        "service_instance_names",
        "service_plan_names",
        "service_plan_guids",
        "service_offering_names",
        "service_offering_guids",
        "app_guids",
        "app_names",
        "include",
        "type",
        "label_selector",
    ),
    includes=("app", "service_instance"),
    choices={"type": _TYPES},
)

_NO_KEYS: Final = (
    "Service credential bindings of type 'key' are not supported for user-provided service "
    "instances."
)


class Bindings:
    """The routes of service credential bindings."""

    def __init__(self, realm: Realm, access: Access, jobs: Jobs) -> None:
        self._world = realm.world
        self._marketplace = realm.marketplace
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET service_credential_bindings": self._list,
            "GET service_credential_bindings/*": self._show,
            "POST service_credential_bindings": self._create,
            "PATCH service_credential_bindings/*": self._update,
            "DELETE service_credential_bindings/*": self._delete,
            "GET service_credential_bindings/*/details": self._details,
            "GET service_credential_bindings/*/parameters": self._parameters,
        }

    def _list(self, call: Call) -> Answer:
        token = call.reader()
        rows = self._marketplace.bindings.values()
        return listed(
            call,
            _BINDINGS,
            [row for row in rows if token.reads(row.space)],
            lambda row: _fields(call, row),
            ("names", lambda row: row.name),
            ("type", lambda row: row.type),
            ("app_guids", lambda row: row.app.guid if row.app else None),
            ("app_names", lambda row: row.app.name if row.app else None),
            ("service_instance_guids", lambda row: row.instance.guid),
            ("service_instance_names", lambda row: row.instance.name),
            ("service_plan_guids", lambda b: b.instance.plan.guid if b.instance.plan else None),
            ("service_plan_names", lambda b: b.instance.plan.name if b.instance.plan else None),
            ("service_offering_guids", lambda row: _offered(row.instance.plan, "guid")),
            ("service_offering_names", lambda row: _offered(row.instance.plan, "name")),
            include=lambda query, found: _included(call, query.includes, found),
        )

    def _found(self, token: Token, binding_guid: str) -> Binding:
        row = self._marketplace.bindings.get(binding_guid)
        if row is None or not token.reads(row.space):
            raise errors.not_found("Service credential binding")
        return row

    def _show(self, call: Call, binding_guid: str) -> Answer:
        token = call.reader()
        wanted = list_query.requested_names(call.query, _BINDINGS)
        row = self._found(token, binding_guid)
        return answer_with_included(_fields(call, row), _included(call, wanted, [row]))

    def _details(self, call: Call, binding_guid: str) -> Answer:
        token = call.reader()
        row = self._found(token, binding_guid)
        if not self._access.reads_secrets(token, row.space):
            raise errors.not_found("Service credential binding")
        _check_created(row)
        details: Json = {"credentials": row.credentials or row.instance.credentials}
        if row.instance.syslog_drain_url is not None:
            details["syslog_drain_url"] = row.instance.syslog_drain_url
        return Answer(200, json_text(details))

    def _parameters(self, call: Call, binding_guid: str) -> Answer:
        row = self._found(call.reader(), binding_guid)
        _check_created(row)
        plan = row.instance.plan
        if plan is None or not plan.offering.has("bindings_retrievable"):
            raise errors.parameters_not_kept("binding")
        return Answer(200, json_text(row.parameters))

    # Creating and deleting.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        for problems in new_binding_problems(fields):
            validation.refuse(problems)
        instance = self._instance(token, fields)
        if instance.plan is None and "parameters" in fields:
            raise errors.unprocessable(
                "Binding parameters are not supported for user-provided service instances"
            )
        app = self._app(token, fields) if fields["type"] == "app" else None
        space = instance.space if app is None else app.space
        self._access.check_change(token, space, DEVELOPERS if app is None else SUPPORTERS)
        row = self._new(fields, instance, app)
        if instance.plan is None:
            return Answer(201, json_text(_fields(call, row)))
        row.last.state = "in progress"
        operation = "service_bindings.create" if app is not None else "service_keys.create"
        job = self._jobs.begin(
            operation, ("service_credential_binding", row.guid), lambda job: self._made(row, job)
        )
        return self._jobs.accepted(call, job)

    def _instance(self, token: Token, fields: Json) -> ServiceInstance:
        requested = text_at(fields, "relationships", "service_instance", "data", "guid")
        row = self._marketplace.instances.get(requested)
        if row is None or not token.reads(row.space):
            raise errors.unprocessable(f"The service instance could not be found: '{requested}'")
        return row

    def _app(self, token: Token, fields: Json) -> App:
        requested = text_at(fields, "relationships", "app", "data", "guid")
        app = self._world.apps.get(requested)
        if app is None or not token.reads(app.space):
            raise errors.unprocessable(f"The app could not be found: '{requested}'")
        return app

    def _new(self, fields: Json, instance: ServiceInstance, app: App | None) -> Binding:
        name = fields.get("name")
        if app is not None and app.space is not instance.space:
            raise errors.unprocessable("The service instance and the app are in different spaces")
        if app is None and instance.plan is None:
            raise errors.unprocessable(_NO_KEYS)
        if instance.last.type == "create" and instance.last.state == "failed":
            raise errors.unprocessable("Service instance not found")
        if instance.last.state == "in progress":
            raise errors.unprocessable("There is an operation in progress for the service instance")
        if app is not None:
            self._check_binding_of(app, instance, name)
        elif any(row.instance is instance and row.name == name for row in self._keys()):
            raise errors.unprocessable(
                f"The binding name is invalid. Key binding names must be unique. "
                f"The service instance already has a key binding with name '{name}'."
            )
        row = Binding(guid=guid(self._world.rng), instance=instance, app=app, name=name)
        row.parameters = fields.get("parameters") or {}
        validation.merge_metadata(fields, row.labels, row.annotations)
        self._marketplace.bindings[row.guid] = row
        return row

    def _keys(self) -> Iterator[Binding]:
        return (row for row in self._marketplace.bindings.values() if row.app is None)

    def _check_binding_of(self, app: App, instance: ServiceInstance, name: str | None) -> None:
        own = [row for row in self._marketplace.bindings.values() if row.app is app]
        if any(row.instance is instance for row in own):
            raise errors.unprocessable("The app is already bound to the service instance")
        if name is not None and any(row.name == name for row in own):
            raise errors.unprocessable(
                "The binding name is invalid. Binding names must be unique for a given service "
                f"instance and app. The app already has a binding with name '{name}'."
            )

    def _made(self, row: Binding, job: Job) -> None:
        error = self._marketplace.broker_error
        row.last = Operation(state="failed" if error else "succeeded", description=error)
        if error:
            fail(job, f"Service broker failed to bind: Service broker error: {error}")

    def _update(self, call: Call, binding_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        row = self._found(token, binding_guid)
        self._access.check_change(token, row.space, DEVELOPERS)
        if (row.last.type, row.last.state) == ("delete", "in progress"):
            raise errors.unprocessable("The service binding is being deleted")
        problems = validation.unknown_fields(fields, ("metadata",))
        validation.refuse(metadata_problems(fields) + problems)
        validation.merge_metadata(fields, row.labels, row.annotations)
        row.touch()
        return Answer(200, json_text(_fields(call, row)))

    def _delete(self, call: Call, binding_guid: str) -> Answer:
        token = call.writer()
        row = self._found(token, binding_guid)
        roles = DEVELOPERS if row.app is None else SUPPORTERS
        self._access.check_change(token, row.space, roles)
        if row.last.state == "in progress":
            raise errors.operation_in_progress("binding")
        if row.instance.last.state == "in progress":
            raise errors.unprocessable(
                "There is an operation in progress for the service instance."
            )
        if row.instance.plan is None:
            del self._marketplace.bindings[row.guid]
            return no_content()
        operation = "service_bindings.delete" if row.app is not None else "service_keys.delete"
        job = self._jobs.begin(
            operation, ("service_credential_binding", row.guid), lambda job: self._end(row, job)
        )
        return self._jobs.accepted(call, job)

    def _end(self, row: Binding, job: Job) -> None:
        error = self._marketplace.broker_error
        if error:
            detail = (
                "Service broker failed to delete service binding for instance "
                f"{row.instance.name}: Service broker error: {error}"
            )
            row.last = Operation(type="delete", state="failed", description=detail)
            fail(job, detail)
        else:
            self._marketplace.bindings.pop(row.guid, None)


def _check_created(row: Binding) -> None:
    if row.last.type == "create" and row.last.state == "succeeded":
        return
    operation = "Creation" if row.last.type == "create" else "Deletion"
    kind = "key" if row.app is None else "binding"
    detail = f"{operation} of service {kind} {row.last.state}"
    raise ApiError(404, 10010, "CF-ResourceNotFound", detail)


def _offered(plan: Plan | None, attribute: str) -> str | None:
    return None if plan is None else getattr(plan.offering, attribute)


def _fields(call: Call, row: Binding) -> Json:
    base = call.views.base
    at = f"{base}/v3/service_credential_bindings/{row.guid}"
    links = {
        "self": at,
        "details": f"{at}/details",
        "service_instance": f"{base}/v3/service_instances/{row.instance.guid}",
    }
    relationships = {"service_instance": to_one(row.instance.guid)}
    if row.instance.plan is not None:
        links["parameters"] = f"{at}/parameters"
    if row.app is not None:
        links["app"] = f"{base}/v3/apps/{row.app.guid}"
        relationships["app"] = to_one(row.app.guid)
    return common_fields(row) | {
        "name": row.name,
        "type": row.type,
        "last_operation": operation_fields(row.last, "state", "description", "type"),
        "metadata": metadata_of(row),
        "relationships": relationships,
        "links": {name: {"href": href} for name, href in links.items()},
    }


def _included(call: Call, wanted: Sequence[str], rows: Sequence[Binding]) -> Json:
    included: Json = {}
    if "app" in wanted:
        apps = {row.app.guid: row.app for row in rows if row.app is not None}.values()
        included["apps"] = [call.views.app_fields(app) for app in apps]
    if "service_instance" in wanted:
        instances = {row.instance.guid: row.instance for row in rows}.values()
        included["service_instances"] = [instance_fields(call, one) for one in instances]
    return included
