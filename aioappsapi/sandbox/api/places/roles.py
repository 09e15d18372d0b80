"""Roles of users in organizations and spaces: how they are created, listed and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import Access, holds, manages
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import common_fields, listed, to_one
from aioappsapi.sandbox.api.places.role_checks import new_role_problems
from aioappsapi.sandbox.api.places.users import check_uaa, user_fields
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import Organization, Space, User, guid, guid_of, timestamp
from aioappsapi.sandbox.world.state import World

_PLACES: Final = ("space", "organization")
_BEGIN: Final = "2026-01-01T00:00:00Z"


_ROLES: Final = ListRules(
    ("organization_guids", "space_guids", "user_guids", "types", "include"),
    includes=("user", "organization", "space"),
    orders=("created_at", "updated_at"),
    default_order="created_at",
    refuse=list_query.bad_body,
)


@dataclass(slots=True)
class Role:
    """One role of a user in a space or organization."""

    guid: str
    type: str
    user: User
    place: Space | Organization
    created_at: str

    @property
    def updated_at(self) -> str:
        """Roles never change."""
        return self.created_at


class Roles:
    """The routes of roles. Roles are not stored but read from the users.

    `given` has the GUID and time of each role that a request created, by user, place and type. The
    GUID of any other role is computed from these three.
    """

    def __init__(self, world: World, access: Access, jobs: Jobs) -> None:
        self._world = world
        self._access = access
        self._jobs = jobs
        self.given: dict[tuple[str, str, str], tuple[str, str]] = {}

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET roles": self._list,
            "GET roles/*": self._show,
            "POST roles": self._create,
            "DELETE roles/*": self._delete,
        }

    def find(self, role_guid: str) -> Role | None:
        """Return the role with this GUID."""
        return next((role for role in self._all() if role.guid == role_guid), None)

    def _all(self) -> Iterator[Role]:
        for user in self._world.users.values():
            for place_guid, kinds in user.roles.items():
                place = self._place(place_guid)
                if place is not None:
                    yield from (self._role(user, place, kind) for kind in sorted(kinds))

    def _place(self, place_guid: str) -> Space | Organization | None:
        space = self._world.spaces.get(place_guid)
        return space or self._world.organizations.get(place_guid)

    def _role(self, user: User, place: Space | Organization, kind: str) -> Role:
        kind = kind.replace("org_", "organization_", 1)
        key = (user.guid, place.guid, kind)
        role_guid, moment = self.given.get(key) or (guid_of("role", *key), _BEGIN)
        return Role(role_guid, kind, user, place, moment)

    def _visible(self, token: Token) -> list[Role]:
        shown = {space.guid for space in self._access.spaces(token)}
        shown |= {organization.guid for organization in self._access.organizations(token)}
        return [role for role in self._all() if role.place.guid in shown]

    def _visible_one(self, token: Token, role_guid: str) -> Role:
        for role in self._visible(token):
            if role.guid == role_guid:
                return role
        raise errors.not_found("Role")

    def _list(self, call: Call) -> Answer:
        return listed(
            call,
            _ROLES,
            self._visible(call.reader()),
            lambda role: _fields(call, role),
            ("types", lambda role: role.type),
            ("user_guids", lambda role: role.user.guid),
            ("space_guids", lambda role: _guid_in(role, Space)),
            ("organization_guids", lambda role: _guid_in(role, Organization)),
            include=lambda query, rows: self._included(call, query.includes, rows),
        )

    def _show(self, call: Call, role_guid: str) -> Answer:
        token = call.reader()
        wanted = list_query.requested_names(call.query, _ROLES)
        role = self._visible_one(token, role_guid)
        included = self._included(call, wanted, [role])
        extra = {"included": included} if wanted else {}
        return Answer(200, json_text(_fields(call, role) | extra))

    def _included(self, call: Call, wanted: Sequence[str], rows: Sequence[Role]) -> Json:
        if "user" in wanted:
            check_uaa(self._world)
        return _included(call, wanted, rows)

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        validation.refuse(new_role_problems(fields))
        links = fields["relationships"]
        kind = str(fields["type"])
        place = self._requested_place(links, kind.partition("_")[0])
        self._check_manager(token, place)
        user = self._requested_user(token, links, place)
        held = user.roles.setdefault(place.guid, set())
        name = kind.replace("organization_manager", "org_manager")
        if name in held:
            raise errors.unprocessable(_taken(self._role(user, place, kind)))
        held.add(name)
        self.given[user.guid, place.guid, kind] = guid(self._world.rng), timestamp()
        return Answer(201, json_text(_fields(call, self._role(user, place, kind))))

    def _requested_place(self, links: Json, kind: str) -> Space | Organization:
        place_guid = text_at(links, kind, "data", "guid")
        places: Json = getattr(self._world, f"{kind}s")
        if place_guid not in places:
            raise errors.unprocessable(
                f"Invalid {kind}. Ensure that the {kind} exists and you have access to it."
            )
        found: Space | Organization = places[place_guid]
        return found

    def _check_manager(self, token: Token, place: Space | Organization) -> None:
        organization = place.organization if isinstance(place, Space) else place
        in_space = isinstance(place, Space) and holds(token, place, frozenset({"space_manager"}))
        if not (in_space or manages(token, organization)):
            raise errors.not_authorized()
        if isinstance(place, Space):
            self._access.check_writable(token, place)
        elif organization.suspended and not token.is_admin:
            raise errors.org_suspended()

    def _requested_user(self, token: Token, links: Json, place: Space | Organization) -> User:
        user = self._named(token, links)
        if isinstance(place, Space):
            home = place.organization
            if user is None or not self._access.belongs(user, home):
                raise errors.unprocessable(
                    "Users cannot be assigned roles in a space if they do not have a role in "
                    "that space's organization."
                )
        if user is None:
            name = text_at(links, "user", "data", "username")
            if name:
                origin = text_at(links, "user", "data", "origin")
                having = f" and origin '{origin}'" if origin else ""
                raise errors.unprocessable(f"No user exists with the username '{name}'{having}.")
            user = User(text_at(links, "user", "data", "guid"), "", "", created_at=timestamp())
            self._world.users[user.guid] = user
        return user

    def _named(self, token: Token, links: Json) -> User | None:
        name = text_at(links, "user", "data", "username")
        if name:
            self._access.check_flag(token, "set_roles_by_username")
            check_uaa(self._world)
            return self._world.user_named(name)
        return self._world.users.get(text_at(links, "user", "data", "guid"))

    def _delete(self, call: Call, role_guid: str) -> Answer:
        token = call.writer()
        role = self._visible_one(token, role_guid)
        self._check_manager(token, role.place)
        if role.type == "organization_user" and self._works_in(role):
            raise errors.unprocessable(
                "Cannot delete organization_user role while user has roles in spaces in that "
                "organization."
            )
        job = self._jobs.begin("role.delete", None, lambda _: self._take(role))
        return self._jobs.accepted(call, job)

    def _works_in(self, role: Role) -> bool:
        spaces = self._world.spaces.values()
        homes = [space for space in spaces if space.organization is role.place]
        return any(role.user.roles.get(space.guid) for space in homes)

    def _take(self, role: Role) -> None:
        held = role.user.roles.get(role.place.guid, set())
        held.difference_update({role.type, role.type.replace("organization_", "org_", 1)})


def _guid_in(role: Role, kind: type[Space | Organization]) -> str | None:
    return role.place.guid if isinstance(role.place, kind) else None


def _taken(role: Role) -> str:
    kind = "space" if isinstance(role.place, Space) else "organization"
    name = role.user.name or role.user.guid
    return f"User '{name}' already has '{role.type}' role in {kind} '{role.place.name}'."


def _fields(call: Call, role: Role) -> Json:
    base = call.views.base
    kind, other = _PLACES if isinstance(role.place, Space) else _PLACES[::-1]
    return common_fields(role) | {
        "type": role.type,
        "relationships": {
            "user": to_one(role.user.guid),
            kind: to_one(role.place.guid),
            other: to_one(None),
        },
        "links": {
            "self": {"href": f"{base}/v3/roles/{role.guid}"},
            "user": {"href": f"{base}/v3/users/{role.user.guid}"},
            kind: {"href": f"{base}/v3/{kind}s/{role.place.guid}"},
        },
    }


def _included(call: Call, wanted: Sequence[str], roles: Sequence[Role]) -> Json:
    included: Json = {}
    users = {role.user.guid: role.user for role in roles}
    places = {role.place.guid: role.place for role in roles}.values()
    if "user" in wanted:
        included["users"] = [user_fields(call, user) for user in users.values()]
    if "organization" in wanted:
        rows = [place for place in places if isinstance(place, Organization)]
        included["organizations"] = [call.views.organization_fields(row) for row in rows]
    if "space" in wanted:
        included["spaces"] = [
            call.views.space_fields(place) for place in places if isinstance(place, Space)
        ]
    return included
