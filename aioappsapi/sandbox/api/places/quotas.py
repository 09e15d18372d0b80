"""Quotas of organizations and spaces, and summaries of their usage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.api.access import Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.list_query import ListRules, bad_body
from aioappsapi.sandbox.api.listing import common_fields, listed, to_one
from aioappsapi.sandbox.api.places.usage import Usage
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import Organization, Space
from aioappsapi.sandbox.world.state import World

_ORDERS: Final = ("created_at", "updated_at")
_ORGANIZATION_QUOTAS: Final = ListRules(("names", "organization_guids"), orders=_ORDERS)
_SPACE_QUOTAS: Final = ListRules(
    ("names", "organization_guids", "space_guids"), orders=_ORDERS, refuse=bad_body
)


@dataclass(slots=True)
class Quota:
    """A quota and the spaces or organizations that have it.

    The limits are those of the first of them. `organization` is the owner of a space quota.
    """

    guid: str
    name: str
    places: Sequence[Organization | Space]
    organization: Organization | None = None
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"


class Quotas:
    """The routes of quotas and of usage summaries.

    Quotas are not stored. They are read from the limits of organizations and spaces: each
    organization names its quota, and a space has a quota if it has a limit.
    """

    def __init__(self, world: World, access: Access, usage: Usage) -> None:
        self._world = world
        self._access = access
        self._usage = usage

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET organization_quotas": self._organization_quotas,
            "GET organization_quotas/*": self._organization_quota,
            "GET space_quotas": self._space_quotas,
            "GET space_quotas/*": self._space_quota,
            "GET organizations/*/usage_summary": self._organization_usage,
            "GET spaces/*/usage_summary": self._space_usage,
            "GET info/usage_summary": self._platform_usage,
        }

    # Quotas.

    def _of_organizations(self) -> list[Quota]:
        sharing: dict[str, list[Organization]] = {}
        for organization in self._world.organizations.values():
            sharing.setdefault(organization.quota_guid, []).append(organization)
        return [
            Quota(guid, _name(number, places[0]), places)
            for number, (guid, places) in enumerate(sharing.items())
        ]

    def _of_spaces(self, token: Token) -> list[Quota]:
        spaces = self._access.spaces(token)
        return [
            Quota(guid, f"{space.name}-quota", [space], space.organization)
            for space in spaces
            if (guid := space.quota_guid) is not None
        ]

    def _organization_quotas(self, call: Call) -> Answer:
        token = call.reader()
        return listed(
            call,
            _ORGANIZATION_QUOTAS,
            self._of_organizations(),
            lambda quota: self._organization_fields(call, token, quota),
            ("names", lambda quota: quota.name),
            ("organization_guids", lambda quota: [place.guid for place in quota.places]),
        )

    def _organization_quota(self, call: Call, quota_guid: str) -> Answer:
        token = call.reader()
        for quota in self._of_organizations():
            if quota.guid == quota_guid:
                return Answer(200, json_text(self._organization_fields(call, token, quota)))
        raise errors.not_found("Organization quota")

    def _organization_fields(self, call: Call, token: Token, quota: Quota) -> Json:
        shown = self._access.organizations(token)
        places = [{"guid": place.guid} for place in quota.places if place in shown]
        at = f"{call.views.base}/v3/organization_quotas/{quota.guid}"
        return _fields(quota) | {
            "domains": {"total_domains": None},
            "relationships": {"organizations": {"data": places}},
            "links": {"self": {"href": at}},
        }

    def _space_quotas(self, call: Call) -> Answer:
        return listed(
            call,
            _SPACE_QUOTAS,
            self._of_spaces(call.reader()),
            lambda quota: _space_fields(call, quota),
            ("names", lambda quota: quota.name),
            ("organization_guids", lambda q: q.organization.guid if q.organization else None),
            ("space_guids", lambda quota: [place.guid for place in quota.places]),
        )

    def _space_quota(self, call: Call, quota_guid: str) -> Answer:
        for quota in self._of_spaces(call.reader()):
            if quota.guid == quota_guid:
                return Answer(200, json_text(_space_fields(call, quota)))
        raise errors.not_found("Space quota")

    # Usage.

    def _organization_usage(self, call: Call, organization_guid: str) -> Answer:
        place = self._access.organization(call.reader(), organization_guid)
        return self._summed_up(call, place, "organization")

    def _space_usage(self, call: Call, space_guid: str) -> Answer:
        return self._summed_up(call, self._access.space(call.reader(), space_guid), "space")

    def _summed_up(self, call: Call, place: Space | Organization, kind: str) -> Answer:
        at = f"{call.views.base}/v3/{kind}s/{place.guid}"
        links = {"self": {"href": f"{at}/usage_summary"}, kind: {"href": at}}
        return Answer(200, json_text({"usage_summary": self._usage.summary(place), "links": links}))

    def _platform_usage(self, call: Call) -> Answer:
        if not call.reader().sees_everything:
            raise errors.not_authorized()
        links = {"self": {"href": f"{call.views.base}/v3/info/usage_summary"}}
        return Answer(
            200, json_text({"usage_summary": self._usage.platform_summary(), "links": links})
        )


def _name(number: int, organization: Organization) -> str:
    return f"{organization.name}-quota" if number else "default"


def _fields(quota: Quota) -> Json:
    first = quota.places[0]
    return common_fields(quota) | {
        "name": quota.name,
        "apps": {
            "total_memory_in_mb": first.memory_limit,
            "per_process_memory_in_mb": first.process_memory_limit,
            "total_instances": first.instance_limit,
            "per_app_tasks": None,
            "log_rate_limit_in_bytes_per_second": first.log_rate_limit,
        },
        "services": {
            "paid_services_allowed": True,
            "total_service_instances": None,
            "total_service_keys": None,
        },
        "routes": {"total_routes": None, "total_reserved_ports": None},
    }


def _space_fields(call: Call, quota: Quota) -> Json:
    base = call.views.base
    home = quota.organization.guid if quota.organization else ""
    return _fields(quota) | {
        "relationships": {
            "organization": to_one(home),
            "spaces": {"data": [{"guid": place.guid} for place in quota.places]},
        },
        "links": {
            "self": {"href": f"{base}/v3/space_quotas/{quota.guid}"},
            "organization": {"href": f"{base}/v3/organizations/{home}"},
        },
    }
