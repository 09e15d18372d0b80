"""Deployments: how they are created, canceled, continued and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aioappsapi.sandbox.api import errors, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, SUPPORTERS, Access
from aioappsapi.sandbox.api.answer import Answer, empty, json_text
from aioappsapi.sandbox.api.apps.actions import Actions
from aioappsapi.sandbox.api.apps.assigning import assign_droplet
from aioappsapi.sandbox.api.apps.deployment_checks import check_fields
from aioappsapi.sandbox.api.apps.rollout import Rollouts, apply_options, newest_web, oldest_web
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.listing import DEPLOYMENTS, metadata_of, page_of, to_app
from aioappsapi.sandbox.api.places.usage import Usage
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import STARTED, App, guid
from aioappsapi.sandbox.world.resources import Deployment, Droplet, Phase, Revision
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_NO_APP: Final = "Unable to use app. Ensure that the app exists and you have access to it."
_NO_DROPLET: Final = (
    "Invalid droplet. Please specify a droplet in the request or set a current droplet for the app."
)
_LOST_DROPLET: Final = (
    "Unable to deploy this revision, the droplet for this revision no longer exists."
)
_SAME_REVISION: Final = (
    "Unable to rollback. The code and configuration you are rolling back to is the same as the "
    "deployed revision."
)
_NO_REVISIONS: Final = (
    "Cannot create deployment from a revision for an app without revisions enabled"
)
_TOO_SMALL: Final = (
    "quota may not be large enough to support rolling deployments or your configured max-in-flight."
)


class Deployments:
    """The routes of deployments. `faults` returns the present faults."""

    def __init__(
        self,
        world: World,
        shelf: Shelf,
        access: Access,
        actions: Actions,
        usage: Usage,
        faults: Callable[[], Faults],
    ) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._actions = actions
        self._usage = usage
        self._rollouts = Rollouts(world, shelf, faults)

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET deployments": self._list,
            "POST deployments": self._create,
            "GET deployments/*": self._show,
            "PATCH deployments/*": self._update,
            "POST deployments/*/actions/cancel": self._cancel,
            "POST deployments/*/actions/continue": self._continue,
        }

    # Reading.

    def _list(self, call: Call) -> Answer:
        filters = (
            ("status_values", _value),
            ("status_reasons", lambda row: row.phase.reason),
            ("states", lambda row: row.state),
        )
        rows = list(self._shelf.deployments.values())

        def show(deployment: Deployment) -> Json:
            return _fields(call, deployment)

        return page_of(call, call.reader(), DEPLOYMENTS, rows, show, *filters)

    def _show(self, call: Call, deployment_guid: str) -> Answer:
        token = call.reader()
        deployment = self._shelf.deployments.get(deployment_guid)
        if deployment is None or not token.reads(deployment.app.space):
            raise errors.not_found("Deployment")
        return Answer(200, json_text(_fields(call, deployment)))

    # Creating.

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        check_fields(fields)
        app = self._app(call, token, fields)
        if text_at(fields, "revision", "guid") and not app.has("revisions"):
            raise errors.unprocessable(_NO_REVISIONS)
        deployment, before = self._planned(fields, app), (app.droplet, app.processes)
        try:
            self._check_quota(deployment)
            droplet, target = self._wanted(fields, app)
            previous = app.droplet
            assign_droplet(self._shelf, app, droplet)
            deployment.droplet, deployment.previous_droplet = app.droplet, previous
            deployment.revision = self._revision(app, target)
            self._begin(deployment, call)
        except errors.ApiError as error:
            app.droplet, app.processes = before
            raise _explained(error, app) from error
        return Answer(201, json_text(_fields(call, deployment)))

    def _app(self, call: Call, token: Token, fields: Json) -> App:
        app = self._world.apps.get(call.related_app(fields))
        if app is None or not self._access.may_change(token, app.space, SUPPORTERS):
            # The server gives no reason, even if the user can see the app.
            raise errors.unprocessable(_NO_APP)
        self._access.check_change(token, app.space, SUPPORTERS)
        return app

    def _planned(self, fields: Json, app: App) -> Deployment:
        options = fields.get("options") or {}
        deployment = Deployment(guid=guid(self._world.rng), app=app)
        deployment.strategy = fields.get("strategy") or "rolling"
        deployment.max_in_flight = options.get("max_in_flight") or 1
        deployment.web_instances = _number(options.get("web_instances"))
        deployment.memory_in_mb = _number(options.get("memory_in_mb"))
        deployment.disk_in_mb = _number(options.get("disk_in_mb"))
        deployment.log_rate = _number(options.get("log_rate_limit_in_bytes_per_second"))
        steps = (options.get("canary") or {}).get("steps")
        if steps and deployment.strategy == "canary":
            deployment.steps = [step["instance_weight"] for step in steps]
        if deployment.strategy == "canary":
            deployment.phase = Phase.CANARY
        running = self._shelf.running_deployment(app)
        deployment.original = running.original if running else oldest_web(app).instances
        validation.merge_metadata(fields, deployment.labels, deployment.annotations)
        return deployment

    def _check_quota(self, deployment: Deployment) -> None:
        """Refuse sizes beyond the quota, as if the present web process got them."""
        requested = (deployment.web_instances, deployment.memory_in_mb, deployment.log_rate)
        if requested == (None, None, None) and deployment.disk_in_mb is None:
            return
        process = newest_web(deployment.app)
        self._usage.check_process(
            deployment.app,
            process,
            instances=deployment.web_instances,
            memory_in_mb=deployment.memory_in_mb,
            disk_in_mb=deployment.disk_in_mb,
            log_rate=deployment.log_rate,
        )

    def _wanted(self, fields: Json, app: App) -> tuple[Droplet | None, Revision | None]:
        """Return the droplet to deploy, and the revision if the deployment rolls back to one."""
        revision_guid = text_at(fields, "revision", "guid")
        if revision_guid:
            self._shelf.revisions_of(app)
            target = self._shelf.revisions.get(revision_guid)
            if target is None:
                raise errors.unprocessable("The revision does not exist")
            droplet = self._shelf.droplets.get(target.droplet or "")
            if droplet is None or droplet.state == "EXPIRED":
                raise errors.unprocessable(_LOST_DROPLET)
            return droplet, target
        self._shelf.current_droplet(app)
        requested = text_at(fields, "droplet", "guid")
        if not requested and app.droplet is None:
            raise errors.unprocessable(_NO_DROPLET)
        return self._shelf.droplets.get(requested or app.droplet or ""), None

    def _revision(self, app: App, target: Revision | None) -> Revision | None:
        if target is None:
            return self._shelf.resolve_revision(app)
        made = self._shelf.roll_back(app, target)
        if made is None:
            raise errors.unprocessable(_SAME_REVISION)
        app.environment = dict(target.environment)
        for process in app.processes:
            process.command = target.commands.get(process.type)
        return made

    def _begin(self, deployment: Deployment, call: Call) -> None:
        app = deployment.app
        if app.lifecycle == "docker" and not self._access.is_on("diego_docker"):
            raise errors.unprocessable("docker docker_disabled")
        if app.state != STARTED:
            # A stopped app has no instances to replace, so it simply starts.
            process = newest_web(app)
            apply_options(deployment, process)
            if deployment.web_instances is not None:
                process.instances = deployment.web_instances
            self._shelf.deployments[deployment.guid] = deployment
            self._actions.start(app, call, deployment.revision)
            deployment.turn(Phase.DEPLOYED)
            return
        new = self._rollouts.planned(deployment)
        self._usage.check_addition(app, new)
        previous = self._shelf.running_deployment(app)
        if previous is not None:
            self._rollouts.supersede(previous)
        self._shelf.deployments[deployment.guid] = deployment
        self._rollouts.begin(deployment, new)

    # Changing.

    def _update(self, call: Call, deployment_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        deployment = self._shelf.deployments.get(deployment_guid)
        if deployment is None or not token.reads(deployment.app.space):
            raise errors.not_found("Deployment")
        self._access.check_change(token, deployment.app.space, DEVELOPERS)
        validation.check_only_metadata(fields)
        validation.merge_metadata(fields, deployment.labels, deployment.annotations)
        deployment.touch()
        return Answer(200, json_text(_fields(call, deployment)))

    def _managed(self, call: Call, deployment_guid: str) -> Deployment:
        """Return a deployment that the user may cancel and continue; other users get a 404."""
        token = call.writer()
        deployment = self._shelf.deployments.get(deployment_guid)
        if deployment is None or not self._access.may_change(
            token, deployment.app.space, SUPPORTERS
        ):
            raise errors.not_found("Deployment")
        self._access.check_change(token, deployment.app.space, SUPPORTERS)
        return deployment

    def _cancel(self, call: Call, deployment_guid: str) -> Answer:
        deployment = self._managed(call, deployment_guid)
        if not deployment.phase.active:
            raise errors.unprocessable(f"Cannot cancel a deployment with {_standing(deployment)}")
        previous = self._shelf.droplet(deployment.previous_droplet or "")
        assign_droplet(self._shelf, deployment.app, previous)
        watched = deployment.phase is not Phase.PAUSED
        deployment.turn(Phase.CANCELING)
        if not watched:
            self._rollouts.schedule(deployment)
        return empty(call.answer_type)

    def _continue(self, call: Call, deployment_guid: str) -> Answer:
        deployment = self._managed(call, deployment_guid)
        if deployment.phase is not Phase.PAUSED:
            raise errors.unprocessable(f"Cannot continue a deployment with {_standing(deployment)}")
        if deployment.steps is not None and deployment.step < len(deployment.steps):
            deployment.step += 1
            deployment.turn(Phase.CANARY)
        else:
            deployment.turn(Phase.DEPLOYING)
        self._rollouts.schedule(deployment)
        return empty(call.answer_type)


# Errors of a new deployment.


def _explained(error: errors.ApiError, app: App) -> errors.ApiError:
    """Add an explanation for deployments to a refusal by a quota."""
    if error.status != 422:
        return error
    detail = error.detail
    if "space_quota_exceeded" in detail or "space_app_instance_limit_exceeded" in detail:
        detail += f" for space {app.space.name}. This space's {_TOO_SMALL}"
    elif "quota_exceeded" in detail or "app_instance_limit_exceeded" in detail:
        name = app.space.organization.name
        detail += f" for organization {name}. This organization's {_TOO_SMALL}"
    return errors.unprocessable(detail)


# JSON of a deployment.


def _value(deployment: Deployment) -> str:
    return "ACTIVE" if deployment.phase.active else "FINALIZED"


def _standing(deployment: Deployment) -> str:
    return f"status: {_value(deployment)} and reason: {deployment.phase.reason}"


def _fields(call: Call, deployment: Deployment) -> Json:
    revision = deployment.revision if deployment.app.has("revisions") else None
    new = [{"guid": deployment.process, "type": "web"}] if deployment.process else []
    return {
        "guid": deployment.guid,
        "created_at": deployment.created_at,
        "updated_at": deployment.updated_at,
        "status": _status(deployment),
        "strategy": deployment.strategy,
        "options": _shown_options(deployment),
        "droplet": {"guid": deployment.droplet},
        "previous_droplet": {"guid": deployment.previous_droplet},
        "new_processes": new,
        "revision": revision and {"guid": revision.guid, "version": revision.number},
        "relationships": to_app(deployment.app.guid),
        "metadata": metadata_of(deployment),
        "links": _links(call.views.base, deployment),
    }


def _status(deployment: Deployment) -> Json:
    details = {
        "last_successful_healthcheck": deployment.healthy_at,
        "last_status_change": deployment.status_changed_at,
    }
    if deployment.error is not None:
        details["error"] = deployment.error
    status: Json = {
        "value": _value(deployment),
        "reason": deployment.phase.reason,
        "details": details,
    }
    if deployment.strategy == "canary":
        total = 1 if deployment.steps is None else len(deployment.steps)
        status["canary"] = {"steps": {"current": deployment.step, "total": total}}
    return status


def _shown_options(deployment: Deployment) -> Json:
    shown: Json = {"max_in_flight": deployment.max_in_flight}
    for name, value in (
        ("web_instances", deployment.web_instances),
        ("memory_in_mb", deployment.memory_in_mb),
        ("disk_in_mb", deployment.disk_in_mb),
        ("log_rate_limit_in_bytes_per_second", deployment.log_rate),
    ):
        if value is not None:
            shown[name] = value
    if deployment.steps is not None:
        shown["canary"] = {"steps": [{"instance_weight": one} for one in deployment.steps]}
    return shown


def _links(base: str, deployment: Deployment) -> Json:
    at = f"{base}/v3/deployments/{deployment.guid}"
    links: dict[str, dict[str, str]] = {
        "self": {"href": at},
        "app": {"href": f"{base}/v3/apps/{deployment.app.guid}"},
    }
    if deployment.phase.active:
        links["cancel"] = {"href": f"{at}/actions/cancel", "method": "POST"}
    if deployment.phase is Phase.PAUSED:
        links["continue"] = {"href": f"{at}/actions/continue", "method": "POST"}
    return links


def _number(value: JsonValue) -> int | None:
    return None if value is None else int(value)
