"""Organizations and spaces: how they are created, changed and deleted."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import errors, ruby, validation
from aioappsapi.sandbox.api.access import Access, holds, manages
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.jobs import Jobs
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.api.relationships import relationship_problems
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json, JsonValue
from aioappsapi.sandbox.world.model import Organization, Space, guid, timestamp
from aioappsapi.sandbox.world.realm import Realm

_LONGEST_NAME: Final = 255
_SPACE_MANAGERS: Final = frozenset({"space_manager"})


class Places:
    """The routes that change organizations and spaces, and the features of a space."""

    def __init__(self, realm: Realm, access: Access, jobs: Jobs) -> None:
        self._realm = realm
        self._world = realm.world
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "POST organizations": self._create_organization,
            "PATCH organizations/*": self._update_organization,
            "DELETE organizations/*": self._delete_organization,
            "POST spaces": self._create_space,
            "PATCH spaces/*": self._update_space,
            "DELETE spaces/*": self._delete_space,
            "GET spaces/*/features": self._features,
            "GET spaces/*/features/*": self._feature,
            "PATCH spaces/*/features/*": self._set_feature,
        }

    # Organizations.

    def _create_organization(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        if not (token.is_admin or self._world.flags.get("user_org_creation")):
            raise errors.not_authorized()
        _check_organization(fields, fresh=True)
        if "suspended" in fields and not token.is_admin:
            raise errors.not_authorized()
        name = str(fields["name"])
        places = self._world.organizations
        if any(o.name == name for o in places.values()):
            raise errors.unprocessable(f"Organization '{name}' already exists.")
        made = Organization(guid(self._world.rng), name, guid(self._world.rng))
        made.suspended = bool(fields.get("suspended"))
        _date(made, fields)
        places[made.guid] = made
        if token.user is not None and not token.is_admin:
            token.user.roles[made.guid] = {"organization_user", "org_manager"}
        return Answer(201, call.views.organization(made))

    def _update_organization(self, call: Call, organization_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        place = self._access.organization(token, organization_guid)
        self._check_manager(token, place)
        _check_organization(fields, fresh=False)
        if "suspended" in fields and not token.is_admin:
            raise errors.not_authorized()
        name = fields.get("name") or place.name
        others = (o for o in self._world.organizations.values() if o is not place)
        if any(other.name == name for other in others):
            raise errors.unprocessable(f"Organization name '{name}' is already taken.")
        _change(place, fields)
        place.name, place.suspended = name, bool(fields.get("suspended", place.suspended))
        return Answer(200, call.views.organization(place))

    def _check_manager(self, token: Token, place: Organization) -> None:
        if not manages(token, place):
            raise errors.not_authorized()
        if place.suspended and not token.is_admin:
            raise errors.org_suspended()

    def _delete_organization(self, call: Call, organization_guid: str) -> Answer:
        token = call.writer()
        place = self._access.organization(token, organization_guid)
        if not token.is_admin:
            raise errors.not_authorized()
        job = self._jobs.begin(
            "organization.delete", ("organization", place.guid), lambda _: self._close(place)
        )
        return self._jobs.accepted(call, job)

    def _close(self, place: Organization) -> None:
        self._world.organizations.pop(place.guid, None)
        for space in [s for s in self._world.spaces.values() if s.organization is place]:
            self._remove(space)

    # Spaces.

    def _create_space(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        _check_space(fields, fresh=True)
        name = str(fields["name"])
        wanted = text_at(fields, "relationships", "organization", "data", "guid")
        organization = self._world.organizations.get(wanted)
        if organization is None or organization not in self._access.organizations(token):
            raise errors.unprocessable(
                "Invalid organization. Ensure the organization exists and you have access to it."
            )
        self._check_manager(token, organization)
        spaces = self._world.spaces
        if any(s.organization is organization and s.name == name for s in spaces.values()):
            raise errors.unprocessable("Name must be unique per organization")
        made = Space(guid(self._world.rng), name, organization)
        made.suspended = bool(fields.get("suspended"))
        _date(made, fields)
        spaces[made.guid] = made
        return Answer(201, call.views.space(made))

    def _update_space(self, call: Call, space_guid: str) -> Answer:
        fields = call.fields()
        token = call.writer()
        space = self._changeable(call, space_guid)
        _check_space(fields, fresh=False)
        if "suspended" in fields and not manages(token, space.organization):
            raise errors.not_authorized()
        name = fields.get("name") or space.name
        homes = (s for s in self._world.spaces.values() if s.organization is space.organization)
        if any(other.name == name and other is not space for other in homes):
            raise errors.unprocessable(
                f"Organization '{space.organization.name}' already contains a space with name "
                f"'{name}'."
            )
        _change(space, fields)
        space.name, space.suspended = name, bool(fields.get("suspended", space.suspended))
        return Answer(200, call.views.space(space))

    def _changeable(self, call: Call, space_guid: str) -> Space:
        token = call.writer()
        space = self._access.space(token, space_guid)
        if not (manages(token, space.organization) or holds(token, space, _SPACE_MANAGERS)):
            raise errors.not_authorized()
        self._access.check_writable(token, space)
        return space

    def _delete_space(self, call: Call, space_guid: str) -> Answer:
        token = call.writer()
        space = self._access.space(token, space_guid)
        self._check_manager(token, space.organization)
        job = self._jobs.begin("space.delete", ("space", space.guid), lambda _: self._remove(space))
        return self._jobs.accepted(call, job)

    def _remove(self, space: Space) -> None:
        self._world.spaces.pop(space.guid, None)
        for app in [a for a in self._world.apps.values() if a.space is space]:
            self._realm.remove_app(app)

    def _features(self, call: Call, space_guid: str) -> Answer:
        space = self._access.space(call.reader(), space_guid)
        return Answer(200, json_text({"resources": [_ssh(space)]}))

    def _feature(self, call: Call, space_guid: str, name: str) -> Answer:
        space = self._access.space(call.reader(), space_guid)
        if name != "ssh":
            raise errors.not_found("Feature")
        return Answer(200, json_text(_ssh(space)))

    def _set_feature(self, call: Call, space_guid: str, name: str) -> Answer:
        fields = call.fields()
        self._feature(call, space_guid, name)
        space = self._changeable(call, space_guid)
        problems = validation.unknown_fields(fields, ("enabled",))
        if not isinstance(fields.get("enabled"), bool):
            problems.append("Enabled must be a boolean")
        validation.refuse(problems)
        space.ssh = fields["enabled"]
        return Answer(200, json_text(_ssh(space)))


def _check_organization(fields: Json, *, fresh: bool) -> None:
    problems = validation.unknown_fields(fields, ("name", "suspended", "metadata"))
    problems += _name_problems(fields.get("name"), least=1)
    problems += _suspended_problems(fields)
    if fresh:
        problems += _missing_name(fields)
    validation.refuse(metadata_problems(fields) + problems)


def _suspended_problems(fields: Json) -> list[str]:
    fine = isinstance(fields.get("suspended"), bool | None)
    return [] if fine else ["Suspended must be a boolean"]


def _check_space(fields: Json, *, fresh: bool) -> None:
    if fresh:
        problems = validation.unknown_fields(
            fields, ("name", "suspended", "relationships", "metadata")
        )
        problems += relationship_problems(fields, "organization") + _missing_name(fields)
    else:
        problems = validation.unknown_fields(fields, ("name", "suspended", "metadata"))
    problems += _name_problems(fields.get("name"), least=0 if fresh else 1)
    problems += _suspended_problems(fields)
    validation.refuse(metadata_problems(fields) + problems)


def _missing_name(fields: Json) -> list[str]:
    return ["Name can't be blank"] if ruby.blank(fields.get("name")) else []


def _name_problems(name: JsonValue, *, least: int) -> list[str]:
    if name is None:
        return []
    problems = [] if isinstance(name, str) else ["Name must be a string"]
    text = ruby.text(name)
    if ruby.length(name) < least:
        problems.append("Name is too short (minimum is 1 character)")
    if len(text) > _LONGEST_NAME:
        problems.append(f"Name is too long (maximum is {_LONGEST_NAME} characters)")
    if not text or not text.isprintable():
        problems.append("Name must not contain escaped characters")
    return problems


def _ssh(space: Space) -> Json:
    text = "Enable SSHing into apps in the space."
    return {"name": "ssh", "description": text, "enabled": space.ssh}


def _change(place: Organization | Space, fields: Json) -> None:
    place.updated_at = timestamp()
    validation.merge_metadata(fields, place.labels, place.annotations)


def _date(place: Organization | Space, fields: Json) -> None:
    _change(place, fields)
    place.created_at = place.updated_at
