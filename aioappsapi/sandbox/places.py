"""Organizations and spaces: made, summed up, and who and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from . import answer as say
from . import checks, filters
from .access import Access
from .answer import Answer, json_text
from .call import Call, dig
from .filters import ListQuery, ListRules
from .jobs import Jobs
from .router import Handler
from .state import App, Organization, Space, User, World, guid, guid_of, timestamp
from .uaa import Token

_USERS: Final = ListRules(
    ("guids", "usernames", "partial_usernames", "origins", "label_selector"),
    orders=("created_at", "updated_at"),
)
_DOMAINS: Final = ListRules(
    ("guids", "names", "organization_guids", "label_selector"),
    orders=("created_at", "updated_at"),
)


class Places:
    """The routes of organizations and spaces that are no plain reading."""

    def __init__(self, world: World, access: Access, jobs: Jobs) -> None:
        self._world = world
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "POST organizations": self._create_organization,
            "GET organizations/*/usage_summary": self._organization_usage,
            "GET organizations/*/users": self._organization_users,
            "GET organizations/*/domains": self._domains,
            "GET organizations/*/domains/default": self._default_domain,
            "POST spaces": self._create_space,
            "DELETE spaces/*": self._delete_space,
            "GET spaces/*/features": self._features,
            "GET spaces/*/usage_summary": self._space_usage,
            "GET spaces/*/users": self._space_users,
        }

    # Organizations.

    def _create_organization(self, call: Call) -> Answer:
        fields = call.fields()
        if not call.writer().is_admin:
            raise say.not_authorized()
        name = _name(fields, ("name", "suspended", "metadata"))
        places = self._world.organizations
        if any(o.name == name for o in places.values()):
            raise say.unprocessable(f"Organization '{name}' already exists.")
        made = Organization(guid(self._world.rng), name, guid(self._world.rng))
        _date(made, fields)
        places[made.guid] = made
        return Answer(201, call.views.organization(made))

    def _organization(self, call: Call, organization_guid: str) -> Organization:
        token = call.reader()
        for space in self._world.spaces.values():
            if space.organization.guid == organization_guid and token.reads(space):
                return space.organization
        found = self._world.organizations.get(organization_guid)
        if found is None or not token.is_admin:
            raise say.not_found("Organization")
        return found

    def _organization_usage(self, call: Call, organization_guid: str) -> Answer:
        organization = self._organization(call, organization_guid)
        apps = (a for a in self._world.apps.values() if a.space.organization is organization)
        at = f"{call.views.base}/v3/organizations/{organization.guid}"
        return self._usage(apps, {"self": f"{at}/usage_summary", "organization": at})

    def _organization_users(self, call: Call, organization_guid: str) -> Answer:
        organization = self._organization(call, organization_guid)
        spaces = [s.guid for s in self._world.spaces.values() if s.organization is organization]
        return self._users(call, {organization.guid, *spaces})

    def _domains(self, call: Call, organization_guid: str) -> Answer:
        self._organization(call, organization_guid)
        query = ListQuery(_DOMAINS, filters.decode(call.query))
        text = call.views.page(call.path, query.links(), (1, query.size, 1), [_domain(call)])
        return Answer(200, text)

    def _default_domain(self, call: Call, organization_guid: str) -> Answer:
        self._organization(call, organization_guid)
        return Answer(200, _domain(call))

    # Spaces.

    def _create_space(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        name = _name(fields, ("name", "relationships", "metadata"))
        wanted = dig(fields, "relationships", "organization", "data", "guid")
        organization = self._world.organizations.get(wanted)
        if organization is None:
            raise say.unprocessable(
                "Invalid organization. Ensure the organization exists and you have access to it."
            )
        if not token.is_admin and not _manages(token, organization):
            raise say.not_authorized()
        spaces = self._world.spaces
        if any(s.organization is organization and s.name == name for s in spaces.values()):
            raise say.unprocessable("Name must be unique per organization")
        made = Space(guid(self._world.rng), name, organization)
        _date(made, fields)
        spaces[made.guid] = made
        return Answer(201, call.views.space(made))

    def _space(self, token: Token, space_guid: str) -> Space:
        space = self._world.spaces.get(space_guid)
        if space is None or not token.reads(space):
            raise say.not_found("Space")
        return space

    def _delete_space(self, call: Call, space_guid: str) -> Answer:
        token = call.writer()
        space = self._space(token, space_guid)
        if not token.is_admin and not _manages(token, space.organization):
            raise say.not_authorized()
        job = self._jobs.begin("space.delete", None, lambda _: self._remove(space))
        return self._jobs.sent_to(call, job)

    def _remove(self, space: Space) -> None:
        self._world.spaces.pop(space.guid, None)
        for app in [a for a in self._world.apps.values() if a.space is space]:
            self._world.remove_app(app)

    def _features(self, call: Call, space_guid: str) -> Answer:
        space = self._space(call.reader(), space_guid)
        text = "Enable SSHing into apps in the space."
        feature = {"name": "ssh", "description": text, "enabled": space.ssh}
        return Answer(200, json_text({"resources": [feature]}))

    def _space_usage(self, call: Call, space_guid: str) -> Answer:
        space = self._space(call.reader(), space_guid)
        apps = (app for app in self._world.apps.values() if app.space is space)
        at = f"{call.views.base}/v3/spaces/{space.guid}"
        return self._usage(apps, {"self": f"{at}/usage_summary", "space": at})

    def _space_users(self, call: Call, space_guid: str) -> Answer:
        return self._users(call, {self._space(call.reader(), space_guid).guid})

    # Both.

    def _usage(self, apps: Iterable[App], links: dict[str, str]) -> Answer:
        processes = [p for app in apps if app.state == "STARTED" for p in app.processes]
        summary = {
            "started_instances": sum(p.instances for p in processes),
            "memory_in_mb": sum(p.instances * p.memory_in_mb for p in processes),
            "routes": 0,
            "service_instances": 0,
            "reserved_ports": 0,
            "domains": 0,
            "per_app_tasks": 0,
            "service_keys": 0,
        }
        shown = {name: {"href": href} for name, href in links.items()}
        return Answer(200, json_text({"usage_summary": summary, "links": shown}))

    def _users(self, call: Call, places: set[str]) -> Answer:
        query = ListQuery(_USERS, filters.decode(call.query))
        users = [u for u in self._world.users.values() if places & set(u.roles)]
        rows = query.select(users, ("guids", lambda u: u.guid), ("usernames", lambda u: u.name))
        chosen, page = query.cut(rows)
        resources = [json_text(_user(call, user)) for user in chosen]
        return Answer(200, call.views.page(call.path, query.links(), page, resources))


def _name(fields: dict[str, Any], known: tuple[str, ...]) -> str:
    problems = checks.unknown_fields(fields, known)
    if not isinstance(fields.get("name"), str):
        problems.append("Name must be a string")
    checks.refuse(problems + checks.metadata_problems(fields))
    return str(fields["name"])


def _date(place: Organization | Space, fields: dict[str, Any]) -> None:
    place.created_at = place.updated_at = timestamp()
    checks.merge_metadata(fields, place.labels, place.annotations)


def _manages(token: Token, organization: Organization) -> bool:
    return token.user is not None and token.user.holds("org_manager", organization)


def _user(call: Call, user: User) -> dict[str, Any]:
    return {
        "guid": user.guid,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "username": user.name,
        "presentation_name": user.name,
        "origin": "uaa",
        "metadata": {"labels": {}, "annotations": {}},
        "links": {"self": {"href": f"{call.views.base}/v3/users/{user.guid}"}},
    }


def _domain(call: Call) -> str:
    domain_guid = guid_of("domain", "apps.sandbox.example")
    at = f"{call.views.base}/v3/domains/{domain_guid}"
    return json_text(
        {
            "guid": domain_guid,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "name": "apps.sandbox.example",
            "internal": False,
            "router_group": None,
            "supported_protocols": ["http"],
            "relationships": {
                "organization": {"data": None},
                "shared_organizations": {"data": []},
            },
            "metadata": {"labels": {}, "annotations": {}},
            "links": {
                "self": {"href": at},
                "route_reservations": {"href": f"{at}/route_reservations"},
            },
        }
    )
