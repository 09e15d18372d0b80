"""Tasks: commands that run once, beside an app."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import DEVELOPERS, SUPPORTERS, Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.apps.process_checks import saved_user_problems
from aioappsapi.sandbox.api.apps.scaling import LOG_RATE
from aioappsapi.sandbox.api.call import Call, text_at, value_at
from aioappsapi.sandbox.api.errors import ApiError
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.listing import TASKS, metadata_of, page_of, to_app
from aioappsapi.sandbox.api.outages import UP, task_error
from aioappsapi.sandbox.api.places.usage import Usage
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App, Process, guid
from aioappsapi.sandbox.world.resources import Task
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World

_OF_AN_APP: Final = ("app_guids", "organization_guids", "space_guids")
_NO_DROPLET: Final = "Task must have a droplet. Specify droplet or assign current droplet to app."
_LONGEST_COMMAND: Final = 4096
_FIELDS: Final = (
    "name",
    "command",
    "disk_in_mb",
    "memory_in_mb",
    "log_rate_limit_in_bytes_per_second",
    "droplet_guid",
    "template",
    "user",
    "metadata",
)


class Tasks:
    """The routes of tasks."""

    def __init__(self, world: World, shelf: Shelf, access: Access, usage: Usage) -> None:
        self._world = world
        self._usage = usage
        self._shelf = shelf
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET tasks": self._list,
            "GET tasks/*": self._show,
            "PATCH tasks/*": self._update,
            "POST tasks/*/actions/cancel": self._cancel,
            "PUT tasks/*/cancel": self._cancel,
            "GET apps/*/tasks": self._of_app,
            "POST apps/*/tasks": self._create,
        }

    def _list(self, call: Call) -> Answer:
        rules = list_query.nested(TASKS, "sequence_ids")
        return self._page(call, call.reader(), list(self._shelf.tasks.values()), rules)

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        token = call.reader()
        rules = list_query.nested(TASKS, *_OF_AN_APP)
        list_query.ListQuery(rules, list_query.decode(call.query))
        app = self._access.app(token, app_guid)
        rows = [task for task in self._shelf.tasks.values() if task.app is app]
        secrets = self._access.reads_secrets(token, app.space)
        return self._page(call, token, rows, rules, hidden=not secrets)

    def _page(
        self,
        call: Call,
        token: Token,
        rows: list[Task],
        rules: list_query.ListRules,
        *,
        hidden: bool = True,
    ) -> Answer:
        def show(task: Task) -> Json:
            return _shown(call, task, hidden=hidden)

        filters = (
            ("names", lambda row: row.name),
            ("states", lambda row: row.state),
            ("sequence_ids", lambda row: str(row.sequence)),
        )
        return page_of(call, token, rules, rows, show, *filters)

    def _visible(self, token: Token, task_guid: str) -> Task:
        task = self._shelf.tasks.get(task_guid)
        if task is None or not token.reads(task.app.space):
            raise errors.not_found("Task")
        return task

    def _show(self, call: Call, task_guid: str) -> Answer:
        token = call.reader()
        task = self._visible(token, task_guid)
        self._shelf.count_read(task)
        secrets = self._access.reads_secrets(token, task.app.space)
        return Answer(200, json_text(_shown(call, task, hidden=not secrets)))

    # Creating and changing.

    def _create(self, call: Call, app_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        self._access.check_flag(token, "task_creation")
        validation.refuse(_problems(fields))
        app = self._access.app(token, app_guid)
        self._access.check_change(token, app.space, DEVELOPERS)
        task = self._new(app, self._droplet(fields, app), fields)
        mode = call.diego or self._world.diego
        if mode != UP:
            task.state, task.failure = "FAILED", "Unable to request task to be run"
            raise task_error(mode, self._world.diego_error)
        self._shelf.begin(task, lambda: setattr(task, "state", "SUCCEEDED"))
        return Answer(202, json_text(_shown(call, task)))

    def _droplet(self, fields: Json, app: App) -> str:
        self._shelf.current_droplet(app)
        requested = fields.get("droplet_guid")
        if requested is not None:
            found = self._shelf.droplets.get(requested)
            if found is None or found.app is not app:
                raise errors.not_found("Droplet")
            return str(requested)
        if app.droplet is None:
            raise errors.unprocessable(_NO_DROPLET)
        return app.droplet

    def _new(self, app: App, droplet: str, fields: Json) -> Task:
        most = self._world.max_disk_in_mb
        if int(fields.get("disk_in_mb") or 0) > most:
            raise errors.unprocessable(f"Cannot request disk_in_mb greater than {most}")
        template = self._template(fields)
        number = 1 + sum(1 for task in self._shelf.tasks.values() if task.app is app)
        task_guid = guid(self._world.rng)
        command = fields["command"] if "command" in fields else self._command(template)
        task = Task(
            guid=task_guid,
            app=app,
            command=validation.stored_text(command) or "",
            name=validation.stored_text(fields.get("name", task_guid[:8])) or "",
            sequence=number,
        )
        task.droplet, task.user = droplet, fields.get("user")
        if template is not None:
            like = template[1]
            task.memory_in_mb, task.log_rate = like.memory_in_mb, like.log_rate
            task.disk_in_mb = like.disk_in_mb or task.disk_in_mb
            task.user = fields.get("user", like.user)
        task.memory_in_mb = int(fields.get("memory_in_mb") or 0) or task.memory_in_mb
        task.disk_in_mb = int(fields.get("disk_in_mb") or 0) or task.disk_in_mb
        rate = fields.get(LOG_RATE)
        task.log_rate = task.log_rate if rate is None else int(rate)
        validation.merge_metadata(fields, task.labels, task.annotations)
        quotas = self._usage.task_problems(app, task.memory_in_mb)
        validation.refuse([*_saved_problems(task), *quotas, *saved_user_problems(task.user)])
        self._shelf.tasks[task.guid] = task
        return task

    def _template(self, fields: Json) -> tuple[App, Process] | None:
        if "template" not in fields:
            return None
        wanted = text_at(fields, "template", "process", "guid")
        found = self._world.process(wanted)
        if found is None:
            detail = f"The process could not be found: {wanted}"
            raise ApiError(404, 350003, "CF-ProcessNotFound", detail)
        return found

    def _command(self, template: tuple[App, Process] | None) -> str:
        if template is None:
            return ""
        app, process = template
        return process.command or self._shelf.start_command(app, process.type)

    def _update(self, call: Call, task_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        validation.check_only_metadata(fields)
        task = self._visible(token, task_guid)
        self._access.check_change(token, task.app.space, DEVELOPERS)
        validation.merge_metadata(fields, task.labels, task.annotations)
        task.touch()
        return Answer(200, json_text(_shown(call, task)))

    def _cancel(self, call: Call, task_guid: str) -> Answer:
        token = call.writer()
        task = self._visible(token, task_guid)
        self._access.check_change(token, task.app.space, SUPPORTERS)
        if task.state in {"SUCCEEDED", "FAILED"}:
            raise errors.unprocessable(
                f"Task state is {task.state} and therefore cannot be canceled"
            )
        self._shelf.cancel(task)
        task.state = "CANCELING"
        self._shelf.begin(task, lambda: _canceled(task))
        return Answer(202, json_text(_shown(call, task)))


def _canceled(task: Task) -> None:
    task.state, task.failure = "FAILED", "task was cancelled"


def _problems(fields: Json) -> list[str]:
    problems = metadata_problems(fields)
    problems += validation.unknown_fields(fields, _FIELDS)
    for name in ("disk_in_mb", "memory_in_mb"):
        problems += validation.number_problems(name, fields.get(name), 1, positive=True)
    rate = validation.number_problems(LOG_RATE, fields.get(LOG_RATE), -1, 2**63 - 1)
    # The same bound, with the error text of this endpoint.
    problems += [one.replace("or equal to -1", "-2") for one in rate]
    if fields.get("droplet_guid") is not None:
        problems += validation.guid_problems("Droplet guid", fields["droplet_guid"])
    if "template" in fields:
        process = value_at(fields, "template", "process", "guid")
        problems += validation.guid_problems("Template process guid", process)
    if not validation.given(fields.get("command")) and not validation.given(fields.get("template")):
        problems.append("Command No command or template provided")
    return problems + validation.text_problems("User", fields.get("user"), 255)


def _saved_problems(task: Task) -> list[str]:
    problems = [] if task.name and validation.printable(task.name) else ["name format"]
    problems += [] if task.name else ["name presence"]
    if not task.command:
        problems.append("command presence")
    elif len(task.command) > _LONGEST_COMMAND:
        problems.append(f"command must be shorter than {_LONGEST_COMMAND + 1} characters")
    return problems


def _shown(call: Call, task: Task, *, hidden: bool = False) -> Json:
    command = {} if hidden else {"command": task.command}
    return {
        "guid": task.guid,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "sequence_id": task.sequence,
        "name": task.name,
        **command,
        "user": task.user or "vcap",
        "state": task.state,
        "memory_in_mb": task.memory_in_mb,
        "disk_in_mb": task.disk_in_mb,
        "log_rate_limit_in_bytes_per_second": task.log_rate,
        "result": {"failure_reason": task.failure},
        "droplet_guid": task.droplet,
        "relationships": to_app(task.app.guid),
        "metadata": metadata_of(task),
        "links": _links(call.views.base, task),
    }


def _links(base: str, task: Task) -> Json:
    at = f"{base}/v3/tasks/{task.guid}"
    return {
        "self": {"href": at},
        "app": {"href": f"{base}/v3/apps/{task.app.guid}"},
        "cancel": {"href": f"{at}/actions/cancel", "method": "POST"},
        "droplet": {"href": f"{base}/v3/droplets/{task.droplet}"},
    }
