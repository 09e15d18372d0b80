"""What a test may look at and change while the sandbox runs."""

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
    """A request in the sandbox's log; 0 as its status is a connection that broke too early."""

    method: str
    path_qs: str
    status: int
    request_id: str
    user: str | None


class Switches:
    """The sandbox's contents by GUID, and how the parts behind the API are."""

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
        """How Diego is: up, refused, bbs-503, bbs-error, bbs-invalid or dns.

        While it is not up, starts are written down and refused all the same. Once it is back,
        the instances come up `faults.repair_after` seconds later.
        """
        return self.world.diego

    @diego.setter
    def diego(self, mode: str) -> None:
        self.world.diego = _one_of(DIEGO_MODES, mode)
        if mode == UP:
            self.world.fleet.repair(self.faults.repair_after)

    @property
    def database(self) -> str:
        """Whether the API's database is up or down; while down, nearly every answer is a 500."""
        return self.world.database

    @database.setter
    def database(self, mode: str) -> None:
        self.world.database = _one_of(DATABASE_MODES, mode)

    @property
    def directory(self) -> str:
        """Whether the UAA tells the API who people are: up or down.

        While it is down, users and the names in roles are refused; tokens are good as before.
        """
        return self.world.uaa

    @directory.setter
    def directory(self, mode: str) -> None:
        self.world.uaa = _one_of(DATABASE_MODES, mode)

    @property
    def flags(self) -> dict[str, bool]:
        """Features by name, such as `diego_docker`, that are not as on a new platform."""
        return self.world.flags

    def count(self, method: str, pattern: str = "") -> int:
        """How many requests of this method had a path (with query) that matches the pattern."""
        search = re.compile(pattern).search
        return sum(1 for r in list(self.requests) if r.method == method and search(r.path_qs))

    def expire_tokens(self) -> None:
        """End every access token now, as if its time were over."""
        self.uaa.expire_tokens()

    def instances(self, app_guid: str, process_type: str = "web") -> list[Instance]:
        """Return what the instances of an app's process are doing right now.

        Of the two web processes that there are during a deployment it is the new one.
        """
        app = self.world.apps[app_guid]
        process = next(one for one in reversed(app.processes) if one.type == process_type)
        return self.world.fleet.instances(app, process)

    def running(self, app_guid: str) -> bool:
        """Whether the app is started and every instance that it wants runs right now."""
        return self.world.fleet.running(self.world.apps[app_guid])

    @property
    def cells(self) -> list[Cell]:
        """The cells that instances run on, with their memory and what is used of it."""
        return self.world.fleet.cells

    @property
    def starting(self) -> int:
        """How many instances are starting right now."""
        self.world.fleet.settle()
        return self.world.fleet.starting

    @property
    def peak_starting(self) -> int:
        """The most instances that were ever starting at one time."""
        self.world.fleet.settle()
        return self.world.fleet.peak_starting

    @property
    def close_after(self) -> int | None:
        """With which request a connection ends; None is never."""
        return self._wire.close_after

    @close_after.setter
    def close_after(self, requests: int | None) -> None:
        self._wire.close_after = requests

    @property
    def logins(self) -> int:
        """How many times the UAA gave out a token, refreshes included."""
        return self.uaa.grants.total()


def _one_of(modes: frozenset[str], mode: str) -> str:
    if mode not in modes:
        raise ValueError(f"there is no mode {mode!r}, only {', '.join(sorted(modes))}")
    return mode
