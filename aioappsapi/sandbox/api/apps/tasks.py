"""Tasks: commands that run once, beside an app."""

from __future__ import annotations

from typing import Final

from ...api.token import Token
from ...world.json_types import Json
from ...world.model import App, guid
from ...world.resources import Shelf, Task
from ...world.state import World
from .. import errors, validation
from ..access import DEVELOPERS, Access
from ..answer import Answer, json_text
from ..call import Call
from ..labels import metadata_problems
from ..listing import TASKS, metadata_of, page_of, to_app
from ..outages import UP, task_workers_unavailable
from ..router import Handler

_NO_DROPLET: Final = "Task must have a droplet. Specify droplet or assign current droplet to app."
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

    def __init__(self, world: World, shelf: Shelf, access: Access) -> None:
        self._world = world
        self._shelf = shelf
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET tasks": self._list,
            "GET tasks/*": self._show,
            "POST tasks/*/actions/cancel": self._cancel,
            "PUT tasks/*/cancel": self._cancel,
            "GET apps/*/tasks": self._of_app,
            "POST apps/*/tasks": self._create,
        }

    def _list(self, call: Call) -> Answer:
        return self._page(call, list(self._shelf.tasks.values()), hidden=True)

    def _of_app(self, call: Call, app_guid: str) -> Answer:
        app = self._access.readable(call, app_guid)
        return self._page(call, [t for t in self._shelf.tasks.values() if t.app is app])

    def _page(self, call: Call, rows: list[Task], *, hidden: bool = False) -> Answer:
        def show(task: Task) -> Json:
            return _shown(call, task, hidden=hidden)

        wishes = (
            ("names", lambda row: row.name),
            ("states", lambda row: row.state),
            ("sequence_ids", lambda row: str(row.sequence)),
        )
        return page_of(call, call.reader(), TASKS, rows, show, *wishes)

    def _visible(self, token: Token, task_guid: str) -> Task:
        task = self._shelf.tasks.get(task_guid)
        if task is None or not token.reads(task.app.space):
            raise errors.not_found("Task")
        return task

    def _show(self, call: Call, task_guid: str) -> Answer:
        task = self._visible(call.reader(), task_guid)
        self._shelf.look_at(task)
        return Answer(200, json_text(_shown(call, task)))

    def _create(self, call: Call, app_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        self._access.check_flag(token, "task_creation")
        problems = metadata_problems(fields) + validation.unknown_fields(fields, _FIELDS)
        for name in ("disk_in_mb", "memory_in_mb"):
            problems += validation.number_problems(name, fields.get(name), 1, positive=True)
        if not fields.get("command") and not fields.get("template"):
            problems.append("Command No command or template provided")
        validation.refuse(problems)
        app = self._access.app(token, app_guid)
        self._access.check_change(token, app.space, DEVELOPERS)
        droplet = fields.get("droplet_guid") or app.droplet
        if droplet is None:
            raise errors.unprocessable(_NO_DROPLET)
        if self._world.diego != UP or call.runner_down:
            raise task_workers_unavailable()
        task = self._new(app, droplet, fields)
        return Answer(202, json_text(_shown(call, task)))

    def _new(self, app: App, droplet: str, fields: Json) -> Task:
        number = 1 + sum(1 for task in self._shelf.tasks.values() if task.app is app)
        task_guid = guid(self._world.rng)
        command = fields.get("command") or "python app.py"
        name = fields.get("name") or task_guid[:8]
        task = Task(guid=task_guid, app=app, command=command, name=name, sequence=number)
        task.droplet = droplet
        task.memory_in_mb = int(fields.get("memory_in_mb") or 0) or task.memory_in_mb
        task.disk_in_mb = int(fields.get("disk_in_mb") or 0) or task.disk_in_mb
        validation.merge_metadata(fields, task.labels, task.annotations)
        self._shelf.tasks[task.guid] = task
        self._shelf.begin(task, lambda: setattr(task, "state", "SUCCEEDED"))
        return task

    def _cancel(self, call: Call, task_guid: str) -> Answer:
        token = call.writer()
        task = self._visible(token, task_guid)
        self._access.check_change(token, task.app.space, DEVELOPERS)
        if task.state in {"SUCCEEDED", "FAILED"}:
            raise errors.unprocessable(
                f"Task state is {task.state} and therefore cannot be canceled"
            )
        self._shelf.abandon(task)
        task.state = "CANCELING"
        self._shelf.begin(task, lambda: setattr(task, "state", "FAILED"))
        return Answer(202, json_text(_shown(call, task)))


def _shown(call: Call, task: Task, *, hidden: bool = False) -> Json:
    command = {} if hidden else {"command": task.command}
    return {
        "guid": task.guid,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
        "sequence_id": task.sequence,
        "name": task.name,
        **command,
        "user": "vcap",
        "state": task.state,
        "memory_in_mb": task.memory_in_mb,
        "disk_in_mb": task.disk_in_mb,
        "log_rate_limit_in_bytes_per_second": 1048576,
        "result": {"failure_reason": "task was cancelled" if task.state == "FAILED" else None},
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
