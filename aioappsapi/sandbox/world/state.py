"""The world of the sandbox: organizations, spaces, users and apps, repeatable by a seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from aioappsapi.sandbox.world.fleet import Fleet
from aioappsapi.sandbox.world.model import (
    ADMIN_SCOPES,
    STACK,
    STARTED,
    STOPPED,
    USER_SCOPES,
    App,
    OAuthClient,
    Organization,
    Process,
    Space,
    Stack,
    User,
    guid,
    guid_of,
    timestamp,
)

_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BUILDPACKS: Final = ("go", "java", "nodejs", "python", "ruby", "staticfile", "binary")
_LAYOUT: Final = (("acme", ("dev", "staging", "prod")), ("globex", ("dev", "prod")))


class World:
    """Everything the sandbox knows, in dictionaries by GUID in the order of creation.

    The same seed and number of apps give the same world. `flags` are features by name, on unless
    they are False. `flag_messages` are texts in place of the names in errors. The first `seeded`
    apps have a route each. `diego_error` is Diego's error in the mode `bbs-error`.
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
        self.uaa = "up"
        self.max_disk_in_mb = 10240
        self.least_staging_disk_in_mb = 4096
        self.diego_error = "the database is gone"
        self._numbers = itertools.count(1)
        names = (STACK, "cflinuxfs3")
        self.stacks = {name: Stack(name, guid_of("stack", name)) for name in names}
        self.stacks[STACK].default = True
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
        # A separate generator: the share without a droplet must not change the GUIDs.
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
            self.fleet.place_running(app)
        return app

    def remove_app(self, app: App) -> None:
        """Remove an app, and its instances from their cells."""
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
        """Return the user with this login name."""
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
