"""What a test may look at and change while the sandbox runs."""

from __future__ import annotations

from .api import Api
from .events import Events
from .faults import Faults
from .network import Network
from .outages import DATABASE_MODES, DIEGO_MODES, UP
from .resources import Shelf
from .services import Marketplace
from .state import App, Organization, Space, User, World
from .uaa import Uaa


class Switches:
    """The sandbox's contents by GUID, and how the parts behind the API are."""

    faults: Faults
    world: World
    uaa: Uaa
    _api: Api

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
            self.world.repair(self.faults.repair_after)

    @property
    def database(self) -> str:
        """Whether the API's database is up or down; while down, nearly every answer is a 500."""
        return self.world.database

    @database.setter
    def database(self, mode: str) -> None:
        self.world.database = _one_of(DATABASE_MODES, mode)

    @property
    def flags(self) -> dict[str, bool]:
        """Features by name, such as `diego_docker`; on unless set to False here."""
        return self.world.flags

    @property
    def logins(self) -> int:
        """How many times the UAA gave out a token, refreshes included."""
        return self.uaa.grants.total()


def _one_of(modes: frozenset[str], mode: str) -> str:
    if mode not in modes:
        raise ValueError(f"there is no mode {mode!r}, only {', '.join(sorted(modes))}")
    return mode
