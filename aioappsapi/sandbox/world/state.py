"""The world inside the sandbox: organizations, spaces, people and apps, seeded and repeatable."""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .fleet import Fleet, Instance

STACK: Final = "cflinuxfs4"
STARTED: Final = "STARTED"
STOPPED: Final = "STOPPED"
ADMIN_SCOPES: Final = frozenset(
    {"cloud_controller.admin", "cloud_controller.read", "cloud_controller.write", "openid"}
)
USER_SCOPES: Final = frozenset({"cloud_controller.read", "cloud_controller.write", "openid"})
SEES_EVERYTHING: Final = frozenset(
    {
        "cloud_controller.admin",
        "cloud_controller.admin_read_only",
        "cloud_controller.global_auditor",
    }
)
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BUILDPACKS: Final = ("go", "java", "nodejs", "python", "ruby", "staticfile", "binary")
_LAYOUT: Final = (("acme", ("dev", "staging", "prod")), ("globex", ("dev", "prod")))


def guid(rng: random.Random) -> str:
    """Return a GUID in the shape of a random UUID, the next one of this generator."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def guid_of(*parts: object) -> str:
    """Return a GUID that always belongs to these words, so that it need not be stored."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return guid(random.Random(digest))


def timestamp(seconds: float | None = None) -> str:
    """Return a moment as the API writes it, by default the present."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@dataclass(slots=True)
class Organization:
    """A tenant; suspending it refuses changes to everybody but admins.

    `memory_limit` (in MB) is what its started apps may take together, `instance_limit` how many
    instances they may have, `process_memory_limit` what one instance may take; None is no limit.
    """

    guid: str
    name: str
    quota_guid: str
    suspended: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"
    memory_limit: int | None = None
    instance_limit: int | None = None
    process_memory_limit: int | None = None


@dataclass(slots=True)
class Space:
    """A room of an organization, where apps and developers meet; `ssh` lets people log in.

    The limits are as an organization's.
    """

    guid: str
    name: str
    organization: Organization
    suspended: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"
    ssh: bool = True
    memory_limit: int | None = None
    instance_limit: int | None = None
    process_memory_limit: int | None = None

    @property
    def quota_guid(self) -> str | None:
        """The GUID of the quota that the limits make; without a limit there is none."""
        limits = (self.memory_limit, self.instance_limit, self.process_memory_limit)
        return None if limits == (None, None, None) else guid_of("space quota", self.guid)


@dataclass(slots=True)
class Stack:
    """A file system that apps run on; `reason` is what the warning of its `state` ends with."""

    name: str
    guid: str
    state: str = "ACTIVE"
    reason: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"


@dataclass(slots=True)
class User:
    """A person, with roles by the GUID of the space or organization they are held in."""

    guid: str
    name: str
    password: str
    scopes: frozenset[str] = USER_SCOPES
    roles: dict[str, set[str]] = field(default_factory=dict)
    failed_logins: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"

    @property
    def email(self) -> str:
        """The user's address, which is the name itself where that is one."""
        return self.name if "@" in self.name else f"{self.name}@sandbox.example"

    def holds(self, role: str, where: Space | Organization) -> bool:
        """Whether the user has this role in this very space or organization."""
        return role in self.roles.get(where.guid, ())

    def reads(self, space: Space) -> bool:
        """Whether the user sees the space's apps."""
        return bool(self.roles.get(space.guid)) or self.holds("org_manager", space.organization)

    def changes(self, space: Space) -> bool:
        """Whether the user may start and stop the space's apps."""
        held = self.roles.get(space.guid, set())
        return bool(held & {"space_developer", "space_supporter"})


@dataclass(slots=True)
class OAuthClient:
    """A program known to the UAA; `scopes` are what it may hold in its own name."""

    name: str
    secret: str
    grants: frozenset[str]
    scopes: frozenset[str] = frozenset()


@dataclass(slots=True)
class Process:
    """One command of an app and how many instances of it are wanted.

    Instances follow the app's state by themselves. To make them misbehave, set `states`, e.g. to
    `["CRASHED"]`; `details` is what the statistics then say. `live` is the fleet's own.
    """

    guid: str
    type: str = "web"
    instances: int = 1
    states: list[str] | None = None
    details: str | None = None
    memory_in_mb: int = 1024
    disk_in_mb: int = 1024
    log_rate: int = 1048576
    command: str | None = None
    health_check: dict[str, Any] | None = None
    readiness: dict[str, Any] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    live: list[Instance] | None = None


@dataclass(slots=True)
class App:
    """An app as the API knows it; every attribute may be set while the sandbox runs.

    `number` is the order of creation, which lists follow. `applied` counts the starts, stops and
    restarts that really happened, whatever the answer was; `launches` counts how often instances
    were made. `features` are those that were switched, and `deletion` is the GUID of the job that
    deletes the app.
    """

    guid: str
    name: str
    space: Space
    droplet: str | None
    state: str = STOPPED
    number: int = 0
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"
    lifecycle: str = "buildpack"
    stack: str = STACK
    buildpacks: list[str] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] | None = None
    processes: list[Process] = field(default_factory=list)
    launches: int = 0
    applied: Counter[str] = field(default_factory=Counter)
    revision: int = 1
    actions: int = 0
    faults: int = 0
    environment: dict[str, Any] | None = None
    features: dict[str, bool] | None = None
    deletion: str | None = None

    def switch(self, state: str) -> bool:
        """Write down the desired state; whether that changed anything."""
        if self.state == state:
            return False
        self.state = state
        self.updated_at = timestamp()
        return True


class World:
    """Everything the sandbox knows, in dictionaries by GUID in the order of creation.

    The same seed and number of apps give the same world. `flags` are features by name, on unless
    they are False, and `flag_messages` what is said instead of a name. The first `seeded` apps
    have a route each.
    """

    def __init__(self, seed: int, fleet: Fleet) -> None:
        self.seed = seed
        self.fleet = fleet
        self.clock = fleet.clock
        self.rng = random.Random(seed)
        self.organizations: dict[str, Organization] = {}
        self.spaces: dict[str, Space] = {}
        self.apps: dict[str, App] = {}
        self.users: dict[str, User] = {}
        self.clients: dict[str, OAuthClient] = {}
        self.flags: dict[str, bool] = {}
        self.flag_messages: dict[str, str] = {}
        self.diego = "up"
        self.database = "up"
        self.log_cache = True
        self._numbers = itertools.count(1)
        names = (STACK, "cflinuxfs3")
        self.stacks = {name: Stack(name, guid_of("stack", name)) for name in names}
        self.buildpacks = {f"{name}_buildpack" for name in _BUILDPACKS}
        self.environment_groups: dict[str, dict[str, str]] = {"staging": {}, "running": {}}
        self.seeded = 0
        for name, spaces in _LAYOUT:
            self._found(name, spaces)
        self._add_people()
        self._add_clients()

    def populate(self, count: int, *, without_droplet: float, started: bool) -> None:
        """Create `count` apps, spread evenly over the spaces."""
        spaces = list(self.spaces.values())
        kinds = ("prod", "dev", "staging")
        # A generator of its own: the share without a droplet must not move the GUIDs.
        lots = random.Random(f"{self.seed}/droplets")
        for number in range(1, count + 1):
            lacking = lots.random() < without_droplet
            app = self.add_app(
                f"app-{number:05d}",
                space=spaces[number % len(spaces)],
                droplet=not lacking,
                labels={"env": kinds[number % 3]},
                state=STARTED if started and not lacking else STOPPED,
            )
            app.created_at = app.updated_at = _since_epoch(number)
        self.seeded = count

    def add_app(
        self,
        name: str,
        *,
        space: Space | None = None,
        droplet: bool = True,
        labels: dict[str, str] | None = None,
        state: str = STOPPED,
        lifecycle: str = "buildpack",
        instances: int = 1,
    ) -> App:
        """Create an app with one web process, by default in the first space."""
        app_guid, droplet_guid = guid(self.rng), guid(self.rng)
        app = App(
            app_guid,
            name,
            space or next(iter(self.spaces.values())),
            droplet_guid if droplet else None,
            state,
            next(self._numbers),
            lifecycle=lifecycle,
            labels={} if labels is None else labels,
            processes=[Process(app_guid, instances=instances)],
        )
        app.created_at = app.updated_at = timestamp()
        self.apps[app_guid] = app
        if state == STARTED:
            self.fleet.take_over(app)
        return app

    def remove_app(self, app: App) -> None:
        """Take an app away, and its instances off their cells."""
        self.apps.pop(app.guid, None)
        self.fleet.forget(app)

    def add_user(
        self, name: str, password: str, scopes: Iterable[str] = USER_SCOPES, **roles: Iterable[str]
    ) -> User:
        """Create a user; roles are given as `space_developer=[space_guid]`."""
        user = User(guid(self.rng), name, password, frozenset(scopes))
        for role, places in roles.items():
            for place in places:
                user.roles.setdefault(place, set()).add(role)
        self.users[user.guid] = user
        return user

    def user_named(self, name: str) -> User | None:
        """Return the user who logs in under this name."""
        return next((user for user in self.users.values() if user.name == name), None)

    def process(self, process_guid: str) -> tuple[App, Process] | None:
        """Return the process with this GUID and its app; a web process has its app's GUID."""
        if (app := self.apps.get(process_guid)) is not None:
            return next(_named(app, process_guid), None)
        found = (pair for app in self.apps.values() for pair in _named(app, process_guid))
        return next(found, None)

    def _found(self, name: str, spaces: tuple[str, ...]) -> None:
        organization = Organization(guid(self.rng), name, guid(self.rng))
        self.organizations[organization.guid] = organization
        for space_name in spaces:
            space = Space(guid(self.rng), space_name, organization, labels={"env": space_name})
            self.spaces[space.guid] = space

    def _add_people(self) -> None:
        first = next(iter(self.organizations))
        homes = [s.guid for s in self.spaces.values() if s.organization.guid == first]
        self.add_user("admin", "admin", ADMIN_SCOPES)
        for name in ("developer", "supporter", "auditor"):
            roles = {"organization_user": [first], f"space_{name}": homes}
            self.add_user(name, name, **roles)
        self.add_user("manager", "manager", organization_user=[first], org_manager=[first])
        self.add_user("outsider", "outsider")

    def _add_clients(self) -> None:
        user_grants = frozenset({"password", "refresh_token", _JWT_BEARER})
        own_grants = frozenset({"client_credentials"})
        for client in (
            OAuthClient("admin-client", "admin-secret", own_grants | user_grants, ADMIN_SCOPES),
            OAuthClient("cf", "", user_grants),
        ):
            self.clients[client.name] = client


_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def _since_epoch(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19] + "Z"


def _named(app: App, process_guid: str) -> Iterator[tuple[App, Process]]:
    return ((app, process) for process in app.processes if process.guid == process_guid)
