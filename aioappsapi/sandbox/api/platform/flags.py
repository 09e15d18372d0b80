"""Feature flags, by which operators switch features on and off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aioappsapi.sandbox.api import errors, ruby, validation
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.list_query import ListRules, without
from aioappsapi.sandbox.api.listing import listed
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import timestamp
from aioappsapi.sandbox.world.state import World

DEFAULTS: Final = {
    "app_bits_upload": True,
    "app_scaling": True,
    "diego_cnb": False,
    "diego_docker": True,
    "env_var_visibility": True,
    "hash_based_routing": False,
    "hide_marketplace_from_unauthenticated_users": False,
    "private_domain_creation": True,
    "resource_matching": True,
    "route_creation": True,
    "route_sharing": False,
    "service_instance_creation": True,
    "service_instance_sharing": False,
    "set_roles_by_username": True,
    "space_developer_env_var_visibility": True,
    "space_scoped_private_broker_creation": True,
    "task_creation": True,
    "unset_roles_by_username": True,
    "user_org_creation": False,
}
_FLAGS: Final = ListRules((), orders=("name",), check=without("created_ats"))


@dataclass(slots=True)
class _Flag:
    name: str
    enabled: bool
    updated_at: str | None = None
    message: str | None = None

    @property
    def guid(self) -> str:
        """The key by which lists break ties."""
        return self.name


class Flags:
    """The routes of feature flags. `World.flags` holds only the flags that were changed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._changed_at: dict[str, str] = {}

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET feature_flags": self._list,
            "GET feature_flags/*": self._show,
            "PATCH feature_flags/*": self._update,
        }

    def _flag(self, name: str) -> _Flag:
        if name not in DEFAULTS:
            raise errors.not_found("Feature flag")
        enabled = self._world.flags.get(name, DEFAULTS[name])
        message = self._world.flag_messages.get(name)
        return _Flag(name, enabled, self._changed_at.get(name), message)

    def _list(self, call: Call) -> Answer:
        call.reader()
        flags = [self._flag(name) for name in DEFAULTS]
        return listed(call, _FLAGS, flags, lambda flag: _fields(call, flag))

    def _show(self, call: Call, name: str) -> Answer:
        call.reader()
        return Answer(200, json_text(_fields(call, self._flag(name))))

    def _update(self, call: Call, name: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        self._flag(name)
        if not token.is_admin:
            raise errors.not_authorized()
        problems = validation.unknown_fields(fields, ("enabled", "custom_error_message"))
        if not isinstance(fields.get("enabled", self._flag(name).enabled), bool):
            problems.append("Enabled must be a boolean")
        problems += _message_problems(fields.get("custom_error_message"))
        validation.refuse(problems)
        if "enabled" in fields:
            self._world.flags[name] = fields["enabled"]
        if "custom_error_message" in fields:
            validation.merge(self._world.flag_messages, {name: fields["custom_error_message"]})
        self._changed_at[name] = timestamp()
        return Answer(200, json_text(_fields(call, self._flag(name))))


def _message_problems(message: JsonValue) -> list[str]:
    if message is None:
        return []
    label, size = "Custom error message", ruby.length(message)
    problems = [] if isinstance(message, str) else [f"{label} must be a string"]
    problems += [f"{label} is too short (minimum is 1 character)"] if size < 1 else []
    problems += [f"{label} is too long (maximum is 250 characters)"] if size > 250 else []
    return problems


def _fields(call: Call, flag: _Flag) -> Json:
    return {
        "name": flag.name,
        "enabled": flag.enabled,
        "updated_at": flag.updated_at,
        "custom_error_message": flag.message,
        "links": {"self": {"href": f"{call.views.base}/v3/feature_flags/{flag.name}"}},
    }
