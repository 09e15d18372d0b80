"""All that the API shows, in one place."""

from __future__ import annotations

from aioappsapi.sandbox.world.model import App
from aioappsapi.sandbox.world.network import Network
from aioappsapi.sandbox.world.services import Marketplace
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World


class Realm:
    """A world, and what is made for its apps: droplets and the like, addresses, services."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shelf = Shelf(world)
        self.network = Network(world)
        self.marketplace = Marketplace(world)

    def remove_app(self, app: App) -> None:
        """Take away an app with all that is its own."""
        self.world.remove_app(app)
        self.shelf.forget_app(app)
        self.network.forget_app(app)
        self.marketplace.forget_app(app)
