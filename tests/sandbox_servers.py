"""The permanent facts of the two recorded servers: users, spaces, organizations, limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from aioappsapi.sandbox import Sandbox
from aioappsapi.sandbox.world.model import (
    ADMIN_SCOPES,
    USER_SCOPES,
    Organization,
    Space,
    User,
)

SCOPES = {
    "admin": ADMIN_SCOPES,
    "admin_read_only": frozenset({"cloud_controller.admin_read_only"}),
    "global_auditor": frozenset({"cloud_controller.global_auditor"}),
    "read_only_scope": frozenset({"cloud_controller.read"}),
    "no_scope": frozenset({"openid"}),
}


@dataclass(frozen=True)
class Person:
    """Somebody who asked; roles are held in places, by the places' names."""

    guid: str
    name: str
    roles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A recorded server. Spaces are (organization, GUID, name), quotas by the organization."""

    organizations: dict[str, str]
    spaces: tuple[tuple[str, str, str], ...]
    people: dict[str, Person]
    quota: str
    home: str
    foreign: str
    max_disk_in_mb: int
    staging_disk_in_mb: int
    diego_error: str = "the database is gone"
    log_cache: bool = True
    rate_limit: int = 20
    address_rate_limit: int = 10
    v2_rate_limit: int | None = 5

    def found(self, sandbox: Sandbox) -> None:
        """Put people and places into an empty sandbox."""
        world = sandbox.world
        world.spaces.clear()
        world.organizations.clear()
        world.users.clear()
        for name, guid in self.organizations.items():
            place = Organization(guid, name, self.quota)
            world.organizations[guid] = place
        for organization, guid, name in self.spaces:
            home = world.organizations[self.organizations[organization]]
            world.spaces[guid] = Space(guid, name, home)
        for kind, person in self.people.items():
            self._add_person(sandbox, kind, person)
        world.max_disk_in_mb = self.max_disk_in_mb
        world.least_staging_disk_in_mb = self.staging_disk_in_mb
        world.diego_error, world.log_cache = self.diego_error, self.log_cache

    def _add_person(self, sandbox: Sandbox, kind: str, person: Person) -> None:
        world = sandbox.world
        scopes = SCOPES.get(kind, USER_SCOPES)
        taken = person.guid in world.users
        # A token with fewer scopes is somebody of its own to the sandbox.
        guid = f"{person.guid[:-2]}{len(world.users)}0" if taken else person.guid
        user = User(guid, kind if taken else person.name, kind, scopes)
        for name, role in person.roles.items():
            places = [guid for _, guid, space in self.spaces if space == name]
            place = places[0] if places else self.organizations[name]
            user.roles[place] = set(role.split())
        world.users[guid] = user


def _people(everywhere: str, elsewhere: str, names: str) -> dict[str, Person]:
    """Those who ask; developers work everywhere, the others only in some spaces."""

    def person(number: int, spaces: str, role: str) -> Person:
        guid = f"11111111-0000-4000-8000-{number:012}"
        return Person(guid, names.split()[number - 1], dict.fromkeys(spaces.split(), role))

    kinds = {
        "admin": person(1, "", ""),
        "developer": person(2, everywhere, "space_developer"),
        "auditor": person(3, elsewhere, "space_auditor"),
        "org_manager": person(4, "acme", "org_manager"),
        "outsider": person(5, "", ""),
        "space_manager": person(6, elsewhere, "space_manager"),
        "supporter": person(7, elsewhere, "space_supporter"),
        "admin_read_only": person(8, "", ""),
        "global_auditor": person(9, "", ""),
    }
    tokens = "read_only_scope no_scope expired bad_signature wrong_audience wrong_issuer"
    developer = kinds["developer"]
    return kinds | dict.fromkeys([*tokens.split(), "refresh_token"], developer)


FIRST = Server(
    organizations={
        "acme": "14611477-2a36-40a7-b377-1d4429735545",
        "other": "0760cfef-f163-4b9a-a0f3-262d335d5733",
    },
    spaces=(
        ("acme", "78872840-3a28-40c5-9990-60e4f3f0d0eb", "dev"),
        ("acme", "72b1e8c6-f8a5-4b59-8f07-f33d930e764b", "prod"),
        ("acme", "936ea4ab-931c-4eee-b675-4950c3a607ee", "no-ssh"),
        ("other", "30e074ea-c54d-4220-a5bd-6d4c681c1550", "foreign"),
    ),
    people=_people(
        "dev prod no-ssh",
        "dev prod no-ssh",
        "admin@example.com dev@example.com auditor@example.com orgmanager@example.com "
        "outsider@example.com spacemanager@example.com supporter@example.com ro ga",
    ),
    quota="52affb2d-34eb-44f4-9416-6ff08cbbcba6",
    home="78872840-3a28-40c5-9990-60e4f3f0d0eb",
    foreign="30e074ea-c54d-4220-a5bd-6d4c681c1550",
    max_disk_in_mb=8192,
    staging_disk_in_mb=4096,
)
SECOND = Server(
    organizations={
        "acme": "5a3f7c9f-5fd7-4aa5-bb81-e16a07e80d6f",
        "beta": "f71edd83-2af5-45d3-928d-3709fa3f6980",
        "frozen-27156": "d89cfb9d-cc78-4d1a-9e9b-9cbc33096380",
    },
    spaces=(
        ("acme", "802c7544-9ba3-41f9-82e5-21d35279e1ef", "prod"),
        ("acme", "6de87a32-aff0-4263-9d3b-a3d42be9ac58", "dev"),
        ("acme", "89b342e5-877b-4f96-aedb-acf144b6f126", "test"),
        ("beta", "cd4ccdbe-ca76-42ae-910e-7b8863caf043", "main"),
        ("frozen-27156", "60444f2f-a25c-44d2-bc9c-15cb94a6293d", "cold"),
    ),
    people=_people(
        "prod dev test cold",
        "prod",
        "admin dev auditor manager outsider space_manager supporter ro ga",
    ),
    quota="2f73df01-33d7-44f8-bda0-1eb364d09841",
    home="802c7544-9ba3-41f9-82e5-21d35279e1ef",
    foreign="cd4ccdbe-ca76-42ae-910e-7b8863caf043",
    max_disk_in_mb=10240,
    staging_disk_in_mb=1024,
    diego_error="bbs says no",
    log_cache=False,
    rate_limit=100,
    address_rate_limit=40,
    v2_rate_limit=None,
)
SERVERS = {"first": FIRST, "second": SECOND}
