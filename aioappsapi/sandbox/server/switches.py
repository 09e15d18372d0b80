"""The attributes that a test may read and change while the sandbox runs."""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from aioappsapi.sandbox.api.api import Api
from aioappsapi.sandbox.api.outages import DATABASE_MODES, DIEGO_MODES, UP
from aioappsapi.sandbox.api.platform.events import Events
from aioappsapi.sandbox.server.uaa import Uaa
from aioappsapi.sandbox.server.wire import Wire
from aioappsapi.sandbox.world.faults import Faults
from aioappsapi.sandbox.world.instances import Cell, Instance
from aioappsapi.sandbox.world.model import App, Organization, Space, User
from aioappsapi.sandbox.world.network import Network
from aioappsapi.sandbox.world.services import Marketplace
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World


class Request(NamedTuple):
    """A request in the sandbox's log; the status 0 means that the connection broke."""

    method: str
    path_qs: str
    status: int
    request_id: str
    user: str | None


class Switches:
    """The sandbox's contents by GUID, and the modes of the systems behind the API."""

    faults: Faults
    world: World
    uaa: Uaa
    requests: deque[Request]
    _api: Api
    _wire: Wire

    @property
    def apps(self) -> dict[str, App]:
        """The apps by GUID, in the order of creation."""
        return self.world.apps

    @property
    def spaces(self) -> dict[str, Space]:
        """The spaces by GUID."""
        return self.world.spaces

    @property
    def organizations(self) -> dict[str, Organization]:
        """The organizations by GUID."""
        return self.world.organizations

    @property
    def users(self) -> dict[str, User]:
        """The users by GUID; the first one is the admin."""
        return self.world.users

    @property
    def admin(self) -> User:
        """The first user, who may do everything."""
        return next(iter(self.world.users.values()))

    @property
    def shelf(self) -> Shelf:
        """The droplets, packages, builds, deployments, tasks, jobs and revisions by GUID."""
        return self._api.realm.shelf

    @property
    def network(self) -> Network:
        """The domains and routes by GUID."""
        return self._api.realm.network

    @property
    def marketplace(self) -> Marketplace:
        """The brokers, offerings, plans, service instances and bindings by GUID."""
        return self._api.realm.marketplace

    @property
    def events(self) -> Events:
        """The audit events and usage events, the oldest first."""
        return self._api.events

    @property
    def diego(self) -> str:
        """The mode of Diego: up, refused, bbs-503, bbs-error, bbs-invalid or dns.

        While it is not up, the API stores the new state of an app but answers with an error. The
        instances come up `faults.repair_after` seconds after the outage.
        """
        return self.world.diego

    @diego.setter
    def diego(self, mode: str) -> None:
        self.world.diego = _one_of(DIEGO_MODES, mode)
        if mode == UP:
            self.world.fleet.repair(self.faults.repair_after)

    @property
    def database(self) -> str:
        """The mode of the API's database, up or down. While it is down, most answers are a 500."""
        return self.world.database

    @database.setter
    def database(self, mode: str) -> None:
        self.world.database = _one_of(DATABASE_MODES, mode)

    @property
    def directory(self) -> str:
        """The mode of the UAA as the API's directory of users, up or down.

        While it is down, requests for users and names in roles are refused. Tokens stay valid.
        """
        return self.world.uaa

    @directory.setter
    def directory(self, mode: str) -> None:
        self.world.uaa = _one_of(DATABASE_MODES, mode)

    @property
    def flags(self) -> dict[str, bool]:
        """Features by name, such as `diego_docker`, that differ from a new platform."""
        return self.world.flags

    def count(self, method: str, pattern: str = "") -> int:
        """Return how many requests of this method have a path (with query) matching the pattern."""
        search = re.compile(pattern).search
        return sum(1 for r in list(self.requests) if r.method == method and search(r.path_qs))

    def expire_tokens(self) -> None:
        """Expire every access token now."""
        self.uaa.expire_tokens()

    def instances(self, app_guid: str, process_type: str = "web") -> list[Instance]:
        """Return the present instances of a process of an app.

        During a deployment there are two web processes; these are the instances of the new one.
        """
        app = self.world.apps[app_guid]
        process = next(one for one in reversed(app.processes) if one.type == process_type)
        return self.world.fleet.instances(app, process)

    def running(self, app_guid: str) -> bool:
        """Check whether the app is started and all its instances run now."""
        return self.world.fleet.running(self.world.apps[app_guid])

    @property
    def cells(self) -> list[Cell]:
        """The cells that run instances, with their memory and the used part."""
        return self.world.fleet.cells

    @property
    def starting(self) -> int:
        """The number of instances that are starting now."""
        self.world.fleet.run_due()
        return self.world.fleet.starting

    @property
    def peak_starting(self) -> int:
        """The largest number of instances that were starting at one time."""
        self.world.fleet.run_due()
        return self.world.fleet.peak_starting

    @property
    def close_after(self) -> int | None:
        """The number of requests after which a connection closes; None means never."""
        return self._wire.close_after

    @close_after.setter
    def close_after(self, requests: int | None) -> None:
        self._wire.close_after = requests

    @property
    def logins(self) -> int:
        """The number of tokens that the UAA has issued, refreshes included."""
        return self.uaa.grants.total()


def _one_of(modes: frozenset[str], mode: str) -> str:
    if mode not in modes:
        raise ValueError(f"there is no mode {mode!r}; the modes are {', '.join(sorted(modes))}")
    return mode
