"""Users, as far as the caller may see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import Access
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import Filter, common_fields, listed, metadata_of
from aioappsapi.sandbox.api.outages import UP
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import User, guid_of, timestamp
from aioappsapi.sandbox.world.state import World


def _check_names(given: Mapping[str, str]) -> list[str]:
    named = {"usernames", "partial_usernames"} & set(given)
    if len(named) > 1:
        kinds = "both usernames and partial_usernames"
        return [f"Usernames filter cannot be provided with {kinds} filter."]
    if "origins" in given and not named:
        return ["Origins filter cannot be provided without usernames or partial_usernames filter."]
    return []


_USERS: Final = ListRules(
    ("usernames", "partial_usernames", "origins", "label_selector"),
    orders=("created_at", "updated_at"),
    check=_check_names,
    refuse=list_query.bad_body,
)
_FILTERS: Final[tuple[Filter[User], ...]] = (
    ("usernames", lambda user: user.name),
    ("origins", lambda user: user.origin),
)


class Users:
    """The routes of users, everywhere and in one organization or space."""

    def __init__(self, world: World, access: Access, jobs: Jobs) -> None:
        self._world = world
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET users": self._list,
            "GET users/*": self._show,
            "POST users": self._create,
            "PATCH users/*": self._update,
            "DELETE users/*": self._delete,
            "GET organizations/*/users": self._of_organization,
            "GET spaces/*/users": self._of_space,
        }

    def _list(self, call: Call) -> Answer:
        return self._listed(call, self._access.users(call.reader()))

    def _listed(self, call: Call, users: Collection[User]) -> Answer:
        check_uaa(self._world)
        parts = list_query.decode(call.query).get("partial_usernames", "").lower().split(",")
        found = [user for user in users if any(part in user.name.lower() for part in parts)]
        return listed(call, _USERS, found, lambda user: user_fields(call, user), *_FILTERS)

    def _of_organization(self, call: Call, organization_guid: str) -> Answer:
        token = call.reader()
        list_query.ListQuery(_USERS, list_query.decode(call.query))
        organization = self._access.organization(token, organization_guid)
        users = self._world.users.values()
        return self._listed(call, [u for u in users if self._access.belongs(u, organization)])

    def _of_space(self, call: Call, space_guid: str) -> Answer:
        token = call.reader()
        list_query.ListQuery(_USERS, list_query.decode(call.query))
        space = self._access.space(token, space_guid)
        users = self._world.users.values()
        return self._listed(call, [user for user in users if user.roles.get(space.guid)])

    def _found(self, token: Token, user_guid: str) -> User:
        for user in self._access.users(token):
            if user.guid == user_guid:
                return user
        raise errors.not_found("User")

    def _show(self, call: Call, user_guid: str) -> Answer:
        user = self._found(call.reader(), user_guid)
        check_uaa(self._world)
        return Answer(200, json_text(user_fields(call, user)))

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        _check_admin(call.writer())
        validation.refuse(metadata_problems(fields) + _problems(fields))
        check_uaa(self._world)
        name, origin = fields.get("username"), fields.get("origin")
        user_guid = fields.get("guid") or guid_of("user", name, origin)
        if user_guid in self._world.users:
            known = f"username '{name}' and origin '{origin}'" if name else f"guid '{user_guid}'"
            raise errors.unprocessable(f"User with {known} already exists.")
        now = timestamp()
        user = User(user_guid, name or "", "", created_at=now, updated_at=now)
        user.origin = origin or "uaa"
        validation.merge_metadata(fields, user.labels, user.annotations)
        self._world.users[user.guid] = user
        return Answer(201, json_text(user_fields(call, user)))

    def _update(self, call: Call, user_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        user = self._found(token, user_guid)
        _check_admin(token)
        validation.check_only_metadata(fields)
        validation.merge_metadata(fields, user.labels, user.annotations)
        user.updated_at = timestamp()
        return Answer(200, json_text(user_fields(call, user)))

    def _delete(self, call: Call, user_guid: str) -> Answer:
        token = call.writer()
        user = self._found(token, user_guid)
        _check_admin(token)
        job = self._jobs.begin("user.delete", ("user", user.guid), lambda _: self._forget(user))
        return self._jobs.accepted(call, job)

    def _forget(self, user: User) -> None:
        self._world.users.pop(user.guid, None)


def check_uaa(world: World) -> None:
    """Refuse a request that needs names of users while the UAA is away."""
    if world.uaa != UP:
        raise errors.uaa_unavailable()


def _problems(fields: Json) -> list[str]:
    guid, origin, name = (fields.get(key) for key in ("guid", "origin", "username"))
    problems = validation.unknown_fields(fields, ("guid", "origin", "username", "metadata"))
    if guid is not None:
        problems += validation.guid_problems("Guid", guid)
    for label, value in (("Origin", origin), ("Username", name)):
        if not isinstance(value, str | None):
            problems.append(f"{label} must be a string")
    has_guid, has_origin, has_name = map(validation.given, (guid, origin, name))
    if has_guid:
        problems += ["Username cannot be provided with 'guid'"] if has_name else []
        problems += ["Origin cannot be provided with 'guid'"] if has_origin else []
    elif has_name or has_origin:
        problems += [] if has_name else ["Origin can only be provided together with 'username'"]
        problems += [] if has_origin else ["Username can only be provided together with 'origin'"]
        if origin == "uaa":
            problems.append("Origin cannot be 'uaa' when creating a user by username")
    else:
        problems.append("Guid or 'username' and 'origin' must be provided")
    return problems


def _check_admin(token: Token) -> None:
    if not token.is_admin:
        raise errors.not_authorized()


def user_fields(call: Call, user: User) -> Json:
    """Return the members of a user; a user that the UAA does not know has no name."""
    return common_fields(user) | {
        "username": user.name or None,
        "presentation_name": user.name or user.guid,
        "origin": user.origin if user.name else None,
        "metadata": metadata_of(user),
        "links": {"self": {"href": f"{call.views.base}/v3/users/{user.guid}"}},
    }
