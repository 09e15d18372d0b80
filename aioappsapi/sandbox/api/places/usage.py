"""What organizations and spaces use of what they may use."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from ...world.model import STARTED, App, Organization, Space
from ...world.realm import Realm
from .. import errors

_COUNT: Final = "app_instance_limit"


class Usage:
    """The sums over a world, taken when they are asked for."""

    def __init__(self, realm: Realm) -> None:
        self._world = realm.world
        self._shelf = realm.shelf
        self._network = realm.network
        self._marketplace = realm.marketplace

    def check(self, app: App) -> None:
        """Refuse to start what no longer fits into the space's or the organization's quota."""
        space, home = app.space, app.space.organization
        largest = max((p.memory_in_mb for p in app.processes if p.instances), default=0)
        checks: tuple[tuple[str, int | None, Callable[[], int]], ...] = (
            ("memory space_quota", space.memory_limit, lambda: self._memory_with(app, space)),
            ("memory quota", home.memory_limit, lambda: self._memory_with(app, home)),
            ("memory instance_memory_limit", home.process_memory_limit, lambda: largest),
            ("memory space_instance_memory_limit", space.process_memory_limit, lambda: largest),
            (f"{_COUNT} {_COUNT}", home.instance_limit, lambda: self._count(app, home)),
            (f"{_COUNT} space_{_COUNT}", space.instance_limit, lambda: self._count(app, space)),
        )
        # fast path: most places have no limit, and a sum is over all apps.
        problems = [
            f"{what}_exceeded"
            for what, limit, much in checks
            if limit is not None and much() > limit
        ]
        if problems:
            raise errors.unprocessable(", ".join(problems))

    def _memory_with(self, app: App, place: Space | Organization) -> int:
        return self.memory(place, but=app) + _memory(app)

    def _count(self, app: App, place: Space | Organization) -> int:
        others = (one for one in self._started(place) if one is not app)
        return sum(map(_instances, others), _instances(app))

    def memory(self, place: Space | Organization, but: App | None = None) -> int:
        """Return the memory in MB of all started apps and running tasks, but for one app's."""
        tasks = self._shelf.tasks.values()
        apps = sum(_memory(app) for app in self._started(place) if app is not but)
        return apps + sum(
            task.memory_in_mb
            for task in tasks
            if task.state == "RUNNING" and _is_in(task.app.space, place)
        )

    def summary(self, place: Space | Organization) -> dict[str, int]:
        """Return what a usage summary says of a place."""
        spaces = [s for s in self._world.spaces.values() if _is_in(s, place)]
        domains = self._network.domains.values()
        owner = place.organization if isinstance(place, Space) else place
        return {
            "started_instances": sum(_instances(app) for app in self._started(place)),
            "memory_in_mb": self.memory(place),
            "routes": self._network.count_in(spaces),
            "service_instances": self._marketplace.count_in(spaces),
            "reserved_ports": 0,
            "domains": sum(domain.organization is owner for domain in domains),
            "per_app_tasks": 0,
            "service_keys": self._marketplace.count_keys(spaces),
        }

    def whole(self) -> dict[str, int]:
        """Return what the platform's own summary says."""
        places = self._world.organizations.values()
        sums = [self.summary(place) for place in places]
        names = ("started_instances", "memory_in_mb", "routes", "service_instances")
        return {name: sum(one[name] for one in sums) for name in names} | {
            "reserved_ports": 0,
            "domains": len(self._network.domains),
            "per_app_tasks": 0,
            "service_keys": sum(one["service_keys"] for one in sums),
        }

    def _started(self, place: Space | Organization) -> Collection[App]:
        apps = self._world.apps.values()
        return [app for app in apps if app.state == STARTED and _is_in(app.space, place)]


def _is_in(space: Space, place: Space | Organization) -> bool:
    return space is place or space.organization is place


def _instances(app: App) -> int:
    return sum(process.instances for process in app.processes)


def _memory(app: App) -> int:
    return sum(process.instances * process.memory_in_mb for process in app.processes)
