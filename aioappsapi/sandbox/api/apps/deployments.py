"""Deployments: rolling and canary, from the first new instance to the last old one."""

from __future__ import annotations

from typing import Any, Final

from ...api.token import Token
from ...world.json_types import Json
from ...world.model import STARTED, App, guid
from ...world.resources import Deployment, Shelf
from ...world.state import World
from .. import errors, validation
from ..access import SUPPORTERS, Access, holds
from ..answer import Answer, json_text, nothing
from ..call import Call, dig
from ..labels import metadata_problems
from ..listing import DEPLOYMENTS, metadata_of, page_of, to_app
from ..router import Handler
from .rollout import Rollouts, instances_wanted

_NO_APP: Final = "Unable to use app. Ensure that the app exists and you have access to it."
_NO_DROPLET: Final = (
    "Invalid droplet. Please specify a droplet in the request or set a current droplet for the app."
)
_STRATEGIES: Final = ("rolling", "canary", "recreate")
_OPTIONS: Final = (
    "canary",
    "max_in_flight",
    "web_instances",
    "memory_in_mb",
    "disk_in_mb",
    "log_rate_limit_in_bytes_per_second",
)
_FIELDS: Final = ("relationships", "droplet", "revision", "strategy", "options", "metadata")


class Deployments:
    """The routes of deployments."""

    def __init__(self, world: World, shelf: Shelf, access: Access) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access
        self._rollouts = Rollouts(world)

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

    def _list(self, call: Call) -> Answer:
        wishes = (
            ("status_values", lambda row: row.value),
            ("status_reasons", lambda row: row.reason),
            ("states", lambda row: row.reason),
        )
        rows = list(self._shelf.deployments.values())
        return page_of(call, call.reader(), DEPLOYMENTS, rows, self._showing(call), *wishes)

    def _showing(self, call: Call) -> Any:
        return lambda deployment: self._text(call, deployment)

    def _visible(self, token: Token, deployment_guid: str) -> Deployment:
        deployment = self._shelf.deployments.get(deployment_guid)
        if deployment is None or not token.reads(deployment.app.space):
            raise errors.not_found("Deployment")
        return deployment

    def _show(self, call: Call, deployment_guid: str) -> Answer:
        deployment = self._visible(call.reader(), deployment_guid)
        self._shelf.look_at(deployment)
        self._rollouts.look(deployment)
        return Answer(200, json_text(self._text(call, deployment)))

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        _check(fields)
        app = self._app(call, token, fields)
        self._access.check_change(token, app.space, SUPPORTERS)
        droplet = self._droplet(fields, app)
        self._shelf.current_droplet(app)
        if droplet not in self._shelf.droplets or self._shelf.droplets[droplet].app is not app:
            raise errors.unprocessable(_NO_DROPLET)
        deployment = Deployment(guid=guid(self._world.rng), app=app, droplet=droplet)
        deployment.strategy = fields.get("strategy") or "rolling"
        deployment.previous_droplet = app.droplet
        deployment.original = self._supersede(app)
        options = fields.get("options") or {}
        deployment.max_in_flight = options.get("max_in_flight") or 1
        deployment.wanted = options.get("web_instances") or deployment.original
        app.droplet = droplet
        validation.merge_metadata(fields, deployment.labels, deployment.annotations)
        self._shelf.deployments[deployment.guid] = deployment
        self._roll_out(deployment)
        return Answer(201, json_text(self._text(call, deployment)))

    def _droplet(self, fields: Json, app: App) -> str | None:
        revision_guid = dig(fields, "revision", "guid")
        if not revision_guid:
            return dig(fields, "droplet", "guid") or app.droplet
        revision = self._shelf.revisions.get(revision_guid)
        if revision is None or revision.app is not app:
            raise errors.unprocessable("The revision does not exist")
        return revision.droplet

    def _app(self, call: Call, token: Token, fields: Json) -> App:
        app = self._world.apps.get(call.asked_app(fields))
        allowed = app is not None and (token.is_admin or holds(token, app.space, SUPPORTERS))
        if app is None or not allowed:
            # The server names no reason, even to those who see the app.
            raise errors.unprocessable(_NO_APP)
        return app

    def _supersede(self, app: App) -> int:
        """End the deployment that is under way, and return how many web instances there are."""
        running = self._shelf.running_deployment(app)
        if running is None:
            return instances_wanted(app)
        self._shelf.abandon(running)
        running.turn("FINALIZED", "SUPERSEDED")
        return running.original

    def _roll_out(self, deployment: Deployment) -> None:
        app = deployment.app
        if app.switch(STARTED):
            # There is nothing to exchange, so it is done at once.
            self._world.fleet.launch(app)
            deployment.turn("FINALIZED", "DEPLOYED")
            return
        app.revision += 1
        self._rollouts.begin(deployment)

    def _update(self, call: Call, deployment_guid: str) -> Answer:
        fields = call.fields()
        deployment = self._changeable(call, deployment_guid)
        problems = validation.unknown_fields(fields, ("metadata",))
        validation.refuse(metadata_problems(fields) + problems)
        validation.merge_metadata(fields, deployment.labels, deployment.annotations)
        deployment.touch()
        return Answer(200, json_text(self._text(call, deployment)))

    def _changeable(self, call: Call, deployment_guid: str) -> Deployment:
        token = call.writer()
        deployment = self._visible(token, deployment_guid)
        self._access.check_change(token, deployment.app.space, SUPPORTERS)
        return deployment

    def _cancel(self, call: Call, deployment_guid: str) -> Answer:
        deployment = self._changeable(call, deployment_guid)
        if deployment.value != "ACTIVE":
            raise errors.unprocessable(f"Cannot cancel a {deployment.reason} deployment")
        self._shelf.abandon(deployment)
        deployment.turn("ACTIVE", "CANCELING")
        deployment.app.droplet = deployment.previous_droplet
        self._rollouts.take_back(deployment)
        self._shelf.begin(deployment, lambda: deployment.turn("FINALIZED", "CANCELED"))
        return nothing()

    def _continue(self, call: Call, deployment_guid: str) -> Answer:
        deployment = self._changeable(call, deployment_guid)
        if deployment.reason != "PAUSED":
            status = f"status: {deployment.value} and reason: {deployment.reason}"
            raise errors.unprocessable(f"Cannot continue a deployment with {status}")
        deployment.turn("ACTIVE", "DEPLOYING")
        deployment.continued, deployment.seen = True, False
        self._rollouts.go_on(deployment)
        return nothing()

    def _text(self, call: Call, deployment: Deployment) -> Json:
        revision = self._shelf.current_revision(deployment.app)
        shown = {"guid": revision.guid, "version": revision.number} if revision else None
        new = [{"guid": deployment.process, "type": "web"}] if deployment.process else []
        return {
            "guid": deployment.guid,
            "created_at": deployment.created_at,
            "updated_at": deployment.updated_at,
            "status": _status(deployment),
            "strategy": deployment.strategy,
            "options": {"max_in_flight": deployment.max_in_flight},
            "droplet": {"guid": deployment.droplet},
            "previous_droplet": {"guid": deployment.previous_droplet},
            "new_processes": new,
            "revision": shown,
            "relationships": to_app(deployment.app.guid),
            "metadata": metadata_of(deployment),
            "links": _links(call.views.base, deployment),
        }


def _check(fields: Json) -> None:
    problems = validation.unknown_fields(fields, _FIELDS)
    strategy = fields.get("strategy")
    if strategy is not None and strategy not in _STRATEGIES:
        problems.append(f"Strategy '{strategy}' is not a supported deployment strategy")
    if fields.get("revision") and fields.get("droplet"):
        problems.append("Droplet Cannot set both fields 'droplet' and 'revision'")
    validation.refuse(metadata_problems(fields) + problems + _option_problems(fields))


def _option_problems(fields: Json) -> list[str]:
    options = fields.get("options") or {}
    if not isinstance(options, dict):
        return ["Options must be an object"]
    unknown = ", ".join(name for name in options if name not in _OPTIONS)
    problems = [f"Options has unsupported key(s): {unknown}"] if unknown else []
    for name in ("web_instances", "max_in_flight"):
        value = options.get(name)
        if value and (type(value) is not int or value < 1):
            label = name.replace("_", " ").capitalize()
            problems.append(f"{label} must be an integer greater than 0")
    if options.get("canary") and fields.get("strategy") != "canary":
        problems.append("Options.canary are only valid for Canary deployments")
    return problems


def _status(deployment: Deployment) -> Json:
    status: Json = {
        "value": deployment.value,
        "reason": deployment.reason,
        "details": {
            "last_successful_healthcheck": deployment.updated_at,
            "last_status_change": deployment.status_changed_at,
        },
    }
    if deployment.strategy == "canary":
        status["canary"] = {"steps": {"current": 1, "total": 1}}
    return status


def _links(base: str, deployment: Deployment) -> Json:
    at = f"{base}/v3/deployments/{deployment.guid}"
    links: dict[str, dict[str, str]] = {
        "self": {"href": at},
        "app": {"href": f"{base}/v3/apps/{deployment.app.guid}"},
    }
    if deployment.value == "ACTIVE":
        links["cancel"] = {"href": f"{at}/actions/cancel", "method": "POST"}
    if deployment.reason == "PAUSED":
        links["continue"] = {"href": f"{at}/actions/continue", "method": "POST"}
    return links
