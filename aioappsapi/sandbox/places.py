"""Organizations and spaces: made and taken away."""

from __future__ import annotations

from typing import Any

from . import answer as say
from . import checks
from .access import Access, manages
from .answer import Answer, json_text
from .call import Call, dig
from .jobs import Jobs
from .router import Handler
from .state import Organization, Space, World, guid, timestamp


class Places:
    """The routes of organizations and spaces that change something, and a space's features."""

    def __init__(self, world: World, access: Access, jobs: Jobs) -> None:
        self._world = world
        self._access = access
        self._jobs = jobs

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "POST organizations": self._create_organization,
            "POST spaces": self._create_space,
            "DELETE spaces/*": self._delete_space,
            "GET spaces/*/features": self._features,
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
        if not manages(token, organization):
            raise say.not_authorized()
        spaces = self._world.spaces
        if any(s.organization is organization and s.name == name for s in spaces.values()):
            raise say.unprocessable("Name must be unique per organization")
        made = Space(guid(self._world.rng), name, organization)
        _date(made, fields)
        spaces[made.guid] = made
        return Answer(201, call.views.space(made))

    def _delete_space(self, call: Call, space_guid: str) -> Answer:
        token = call.writer()
        space = self._access.space(token, space_guid)
        if not manages(token, space.organization):
            raise say.not_authorized()
        job = self._jobs.begin("space.delete", None, lambda _: self._remove(space))
        return self._jobs.sent_to(call, job)

    def _remove(self, space: Space) -> None:
        self._world.spaces.pop(space.guid, None)
        for app in [a for a in self._world.apps.values() if a.space is space]:
            self._world.remove_app(app)

    def _features(self, call: Call, space_guid: str) -> Answer:
        space = self._access.space(call.reader(), space_guid)
        text = "Enable SSHing into apps in the space."
        feature = {"name": "ssh", "description": text, "enabled": space.ssh}
        return Answer(200, json_text({"resources": [feature]}))


def _name(fields: dict[str, Any], known: tuple[str, ...]) -> str:
    problems = checks.unknown_fields(fields, known)
    if not isinstance(fields.get("name"), str):
        problems.append("Name must be a string")
    checks.refuse(problems + checks.metadata_problems(fields))
    return str(fields["name"])


def _date(place: Organization | Space, fields: dict[str, Any]) -> None:
    place.created_at = place.updated_at = timestamp()
    checks.merge_metadata(fields, place.labels, place.annotations)
