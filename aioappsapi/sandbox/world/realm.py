"""The world together with all resources around its apps."""

from __future__ import annotations

from aioappsapi.sandbox.world.model import App
from aioappsapi.sandbox.world.network import Network
from aioappsapi.sandbox.world.services import Marketplace
from aioappsapi.sandbox.world.shelf import Shelf
from aioappsapi.sandbox.world.state import World


class Realm:
    """A world with the shelf (droplets, builds, ...), the network and the marketplace."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shelf = Shelf(world)
        self.network = Network(world)
        self.marketplace = Marketplace(world)

    def remove_app(self, app: App) -> None:
        """Remove an app with everything that belongs to it."""
        self.world.remove_app(app)
        self.shelf.forget_app(app)
        self.network.forget_app(app)
        self.marketplace.forget_app(app)
