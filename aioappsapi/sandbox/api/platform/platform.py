"""Resources of operators: security groups, isolation segments, buildpacks and variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aioappsapi.sandbox.api import errors, validation
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.list_query import ListRules, bad_body
from aioappsapi.sandbox.api.listing import common_fields, listed, metadata_of
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import STACK, guid_of, timestamp
from aioappsapi.sandbox.world.resources import Resource
from aioappsapi.sandbox.world.state import World

_BEGIN: Final = "2026-01-01T00:00:00Z"
_GROUPS: Final = ("running", "staging")
_SEGMENTS: Final = ListRules(("names", "organization_guids", "label_selector"))
_SECURITY: Final = ListRules(
    (
        "names",
        "running_space_guids",
        "staging_space_guids",
        "globally_enabled_running",
        "globally_enabled_staging",
    ),
    orders=("created_at", "updated_at"),
    choices=dict.fromkeys(
        ("globally_enabled_running", "globally_enabled_staging"), ("true", "false")
    ),
    refuse=bad_body,
)


def _wrong_lifecycle(given: Mapping[str, str]) -> list[str]:
    fine = given.get("lifecycle", "buildpack") in ("buildpack", "cnb")
    return [] if fine else ['Lifecycle must be either "buildpack" or "cnb"']


_BUILDPACKS: Final = ListRules(
    ("stacks", "names", "lifecycle", "page", "per_page", "label_selector"),
    orders=("created_at", "updated_at", "position", "lifecycle"),
    check=_wrong_lifecycle,
)


@dataclass(slots=True, kw_only=True)
class Named(Resource):
    """A resource with a name and a position in its list."""

    name: str
    position: int = 1
    created_at: str = _BEGIN
    updated_at: str = _BEGIN


class Platform:
    """The routes of resources that belong to the platform and not to a space."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._group_changed_at = dict.fromkeys(_GROUPS, _BEGIN)
        self.segments = [_named("isolation segment", "shared")]
        self.security_groups = [
            _named("security group", name) for name in ("public_networks", "dns")
        ]

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET isolation_segments": self._segments,
            "GET isolation_segments/*": self._segment,
            "GET security_groups": self._security_groups,
            "GET security_groups/*": self._security_group,
            "GET environment_variable_groups/*": self._group,
            "PATCH environment_variable_groups/*": self._set_group,
            "GET buildpacks": self._buildpacks,
            "GET buildpacks/*": self._buildpack,
        }

    # Isolation segments and security groups.

    def _segments(self, call: Call) -> Answer:
        # No organization is entitled to the shared segment, so only operators see it.
        rows = self.segments if call.reader().sees_everything else []
        return _names(call, _SEGMENTS, rows, lambda row: _segment_fields(call, row))

    def _segment(self, call: Call, segment_guid: str) -> Answer:
        rows = self.segments if call.reader().sees_everything else []
        row = _found(rows, segment_guid, "Isolation segment")
        return Answer(200, json_text(_segment_fields(call, row)))

    def _security_groups(self, call: Call) -> Answer:
        call.reader()
        rows = self.security_groups
        return _names(call, _SECURITY, rows, lambda row: _security_fields(call, row))

    def _security_group(self, call: Call, group_guid: str) -> Answer:
        call.reader()
        row = _found(self.security_groups, group_guid, "Security group")
        return Answer(200, json_text(_security_fields(call, row)))

    # Environment variables of all apps.

    def _group(self, call: Call, name: str) -> Answer:
        call.reader()
        return self._shown_group(call, name)

    def _shown_group(self, call: Call, name: str) -> Answer:
        if name not in _GROUPS:
            raise errors.not_found("Environment variable group")
        at = f"{call.views.base}/v3/environment_variable_groups/{name}"
        fields = {
            "updated_at": self._group_changed_at[name],
            "name": name,
            "var": self._world.environment_groups[name],
            "links": {"self": {"href": at}},
        }
        return Answer(200, json_text(fields))

    def _set_group(self, call: Call, name: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        fields = fields or {"var": {}}
        validation.check_variables(fields)
        if not token.is_admin:
            raise errors.not_authorized()
        self._shown_group(call, name)
        validation.merge(self._world.environment_groups[name], fields["var"])
        self._group_changed_at[name] = timestamp()
        return self._shown_group(call, name)

    # Buildpacks.

    def _all_buildpacks(self) -> list[Named]:
        names = sorted(self._world.buildpacks)
        rows = [_named("buildpack", name) for name in names]
        for position, row in enumerate(rows, 1):
            row.position = position
        return rows

    def _buildpacks(self, call: Call) -> Answer:
        call.reader()
        rows = self._all_buildpacks()
        return listed(
            call,
            _BUILDPACKS,
            rows,
            lambda row: _buildpack_fields(call, row),
            ("names", lambda row: row.name),
            ("stacks", lambda _: STACK),
        )

    def _buildpack(self, call: Call, buildpack_guid: str) -> Answer:
        call.reader()
        row = _found(self._all_buildpacks(), buildpack_guid, "Buildpack")
        return Answer(200, json_text(_buildpack_fields(call, row)))


def _named(kind: str, name: str) -> Named:
    return Named(guid=guid_of(kind, name), name=name)


def _found(rows: list[Named], guid: str, kind: str) -> Named:
    for row in rows:
        if row.guid == guid:
            return row
    raise errors.not_found(kind)


def _names(
    call: Call, rules: ListRules, rows: list[Named], show: Callable[[Named], Json]
) -> Answer:
    return listed(call, rules, rows, show, ("names", lambda row: row.name))


def _segment_fields(call: Call, row: Named) -> Json:
    at = f"{call.views.base}/v3/isolation_segments/{row.guid}"
    links = {"self": {"href": at}, "organizations": {"href": f"{at}/organizations"}}
    return common_fields(row) | {"name": row.name, "metadata": metadata_of(row), "links": links}


def _security_fields(call: Call, row: Named) -> Json:
    return common_fields(row) | {
        "name": row.name,
        "rules": [],
        "globally_enabled": {"running": True, "staging": True},
        "relationships": {"running_spaces": {"data": []}, "staging_spaces": {"data": []}},
        "links": {"self": {"href": f"{call.views.base}/v3/security_groups/{row.guid}"}},
    }


def _buildpack_fields(call: Call, row: Named) -> Json:
    at = f"{call.views.base}/v3/buildpacks/{row.guid}"
    return common_fields(row) | {
        "name": row.name,
        "stack": STACK,
        "state": "READY",
        "filename": f"{row.name}-{STACK}-v1.8.0.zip",
        "position": row.position,
        "enabled": True,
        "locked": False,
        "lifecycle": "buildpack",
        "metadata": metadata_of(row),
        "links": {"self": {"href": at}, "upload": {"href": f"{at}/upload", "method": "POST"}},
    }
