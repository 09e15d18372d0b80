"""Stacks, and the states in which a stack warns or refuses."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.list_query import ListQuery, ListRules
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import Stack, timestamp
from aioappsapi.sandbox.world.state import World

_STACKS: Final = ListRules(
    ("names", "default", "label_selector"), choices={"default": ("true", "false")}
)
_STATES: Final = ("ACTIVE", "RESTRICTED", "DEPRECATED", "DISABLED")


class StackRefusedError(errors.ApiError):
    """A stack may not be used. Apps answer with a general 422, builds with this text."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, 10008, "CF-UnprocessableEntity", detail)


class Stacks:
    """The routes of stacks."""

    def __init__(self, world: World, access: Access) -> None:
        self._world = world
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET stacks": self._list,
            "GET stacks/*": self._show,
            "PATCH stacks/*": self._update,
        }

    def _list(self, call: Call) -> Answer:
        call.reader()
        query = ListQuery(_STACKS, list_query.decode(call.query))
        rows = query.select(
            self._world.stacks.values(),
            ("guids", lambda stack: stack.guid),
            ("names", lambda stack: stack.name),
        )
        chosen, page = query.cut(query.refine(rows))
        resources = [json_text(_shown(call, stack)) for stack in chosen]
        return Answer(200, call.views.page(call.path, query.links(), page, resources))

    def _found(self, stack_guid: str) -> Stack:
        for stack in self._world.stacks.values():
            if stack.guid == stack_guid:
                return stack
        raise errors.not_found("Stack")

    def _show(self, call: Call, stack_guid: str) -> Answer:
        call.reader()
        return Answer(200, json_text(_shown(call, self._found(stack_guid))))

    def _update(self, call: Call, stack_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        stack = self._found(stack_guid)
        if not token.is_admin:
            raise errors.not_authorized()
        problems = validation.unknown_fields(fields, ("state", "state_reason", "metadata"))
        if fields.get("state", stack.state) not in _STATES:
            problems.append(f"State must be one of {', '.join(_STATES)}")
        validation.refuse(metadata_problems(fields) + problems)
        warning = {}
        if stack.default and "state" in fields:
            text = f"Changing state on the default stack '{stack.name}' may affect new application"
            warning = {"x-cf-warnings": quote_plus(f"{text} deployments.")}
        stack.state = fields.get("state", stack.state)
        stack.reason = fields.get("state_reason", stack.reason)
        stack.updated_at = timestamp()
        validation.merge_metadata(fields, stack.labels, stack.annotations)
        shown = _shown(call, stack)
        if not fields.keys().isdisjoint(("state", "state_reason")):
            # The server compares the old stack with the new one, and treats it as a change.
            shown["default"] = False
        return Answer(200, json_text(shown), headers=warning)


def stack_warning(stack: Stack | None, *, fresh: bool) -> dict[str, str]:
    """Return the headers with the warning of a stack.

    Raises StackRefusedError for a stack that is DISABLED, or RESTRICTED and the app is `fresh`.
    """
    if stack is None:
        return {}
    reason = f" {stack.reason}" if stack.reason else ""
    if stack.state == "DISABLED" or (stack.state == "RESTRICTED" and fresh):
        raise StackRefusedError(
            f"ERROR: Staging failed. The stack '{stack.name}' is '{stack.state}' and cannot be "
            f"used for staging.{reason}"
        )
    if stack.state == "ACTIVE":
        return {}
    text = (
        f"WARNING: The stack '{stack.name}' is '{stack.state}' and will be removed in the "
        f"future.{reason}"
    )
    return {"x-cf-warnings": quote_plus(text)}


def _shown(call: Call, stack: Stack) -> Json:
    return {
        "guid": stack.guid,
        "created_at": stack.created_at,
        "updated_at": stack.updated_at,
        "name": stack.name,
        "description": stack.description,
        "state": stack.state,
        "state_reason": stack.reason,
        "run_rootfs_image": stack.name,
        "build_rootfs_image": stack.name,
        "default": stack.default,
        "metadata": {"labels": stack.labels, "annotations": stack.annotations},
        "links": {"self": {"href": f"{call.views.base}/v3/stacks/{stack.guid}"}},
    }
