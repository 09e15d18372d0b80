"""The usage of organizations and spaces, and the checks against their quotas."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.world.model import STARTED, App, Organization, Process, Space
from aioappsapi.sandbox.world.realm import Realm

_COUNT: Final = "app_instance_limit"
UNLIMITED: Final = -1


@dataclass(frozen=True, slots=True)
class _Size:
    """The requested size of a process."""

    instances: int
    memory_in_mb: int
    log_rate: int

    @property
    def memory(self) -> int:
        return self.instances * self.memory_in_mb


class Usage:
    """The sums over all apps of a world, and the checks of quotas."""

    def __init__(self, realm: Realm) -> None:
        self._world = realm.world
        self._shelf = realm.shelf
        self._network = realm.network
        self._marketplace = realm.marketplace

    # Checks. Each raises ApiError 422 with every quota that would be exceeded.

    def check_start(self, app: App) -> None:
        """Check the quotas for all processes of an app that is about to start."""
        if not _limited(app.space):
            # fast path: most places have no limit, and a sum needs a loop over all apps.
            return
        earlier: list[Process] = []
        for process in app.processes:
            self._refuse(self._problems(app, process, _size(process), earlier))
            earlier.append(process)

    def check_addition(self, app: App, process: Process) -> None:
        """Check the quotas for a new process of a started app."""
        self._refuse(self._problems(app, process, _size(process), app.processes))

    def check_process(
        self,
        app: App,
        process: Process,
        *,
        instances: int | None = None,
        memory_in_mb: int | None = None,
        disk_in_mb: int | None = None,
        log_rate: int | None = None,
    ) -> None:
        """Check the quotas for new sizes of a process; None means no change.

        If the app is stopped, only the disk is checked.
        """
        problems = list(self._disk_problems(disk_in_mb))
        if app.state == STARTED:
            sizes = {"instances": instances, "memory_in_mb": memory_in_mb, "log_rate": log_rate}
            given = {name: value for name, value in sizes.items() if value is not None}
            others = [one for one in app.processes if one is not process]
            size = replace(_size(process), **given)
            rates = not given.keys().isdisjoint(("instances", "log_rate"))
            problems += self._problems(app, process, size, others, rates=rates)
        self._refuse(problems)

    def check_staging_memory(self, app: App, memory_in_mb: int) -> None:
        """Check the quotas for the memory that staging needs."""
        for kind, place in (("space", app.space), ("organization", app.space.organization)):
            limit = place.memory_limit
            if limit is not None and self.memory(place) + memory_in_mb > limit:
                raise errors.unprocessable(
                    f"{kind}'s memory limit exceeded: staging requires {memory_in_mb}M memory"
                )

    def check_staging_rate(self, app: App, rate: int) -> None:
        """Check the quotas for the log rate that staging needs in bytes per second."""
        for kind, place in (("space", app.space), ("organization", app.space.organization)):
            limit = place.log_rate_limit
            if limit is not None and self.log_rate(place) + rate > limit:
                raise errors.unprocessable(
                    f"{kind}'s log rate limit exceeded: staging requires {rate} bytes per second"
                )

    def task_problems(self, app: App, memory_in_mb: int) -> Iterator[str]:
        """Yield the quotas that a new task with this memory would exceed."""
        for kind, place in (("organization", app.space.organization), ("space", app.space)):
            limit, most = place.memory_limit, place.process_memory_limit
            if limit is not None and self.memory(place) + memory_in_mb > limit:
                yield f"memory_in_mb exceeds {kind} memory quota"
            if most is not None and memory_in_mb > most:
                yield f"memory_in_mb exceeds {kind} instance memory quota"

    def _refuse(self, problems: Collection[str] | Iterator[str]) -> None:
        detail = ", ".join(problems)
        if detail:
            raise errors.unprocessable(detail)

    def _disk_problems(self, disk_in_mb: int | None) -> Iterator[str]:
        most = self._world.max_disk_in_mb
        if disk_in_mb is not None and disk_in_mb > most:
            yield (
                f"disk_quota too much disk requested (requested {disk_in_mb} MB - "
                f"must be less than {most} MB)"
            )

    def _problems(
        self,
        app: App,
        process: Process,
        size: _Size,
        others: Collection[Process],
        *,
        rates: bool = True,
    ) -> Iterator[str]:
        space, home = app.space, app.space.organization
        own = [one for one in others if one is not process]

        def memory(place: Space | Organization) -> int:
            return self.memory(place, but=app) + sum(map(_memory, own)) + size.memory

        def count(place: Space | Organization) -> int:
            return self._count(place, but=app) + sum(one.instances for one in own) + size.instances

        checks: tuple[tuple[str, int | None, Callable[[], int]], ...] = (
            ("memory space_quota", space.memory_limit, lambda: memory(space)),
            ("memory quota", home.memory_limit, lambda: memory(home)),
            ("memory instance_memory_limit", home.process_memory_limit, lambda: size.memory_in_mb),
            (
                "memory space_instance_memory_limit",
                space.process_memory_limit,
                lambda: size.memory_in_mb,
            ),
            (f"{_COUNT} {_COUNT}", home.instance_limit, lambda: count(home)),
            (f"{_COUNT} space_{_COUNT}", space.instance_limit, lambda: count(space)),
        )
        for what, limit, much in checks:
            if limit is not None and much() > limit:
                yield f"{what}_exceeded"
        if rates:
            yield from self._rate_problems(app, size, own)

    def _rate_problems(self, app: App, size: _Size, own: list[Process]) -> Iterator[str]:
        for kind, place in (("space", app.space), ("organization", app.space.organization)):
            limit = place.log_rate_limit
            if limit is None:
                continue
            if size.log_rate == UNLIMITED:
                yield f"log_rate_limit cannot be unlimited in {kind} '{place.name}'."
                if self.log_rate(place) > limit:
                    yield f"log_rate_limit exceeds {kind} log rate quota"
                continue
            others = self.log_rate(place, but=app) + sum(map(_rate, own))
            if others + size.instances * size.log_rate > limit:
                yield f"log_rate_limit exceeds {kind} log rate quota"

    # Sums.

    def memory(self, place: Space | Organization, but: App | None = None) -> int:
        """Return the memory in MB of all started apps and running tasks, except for one app."""
        tasks = self._shelf.tasks.values()
        apps = sum(_app_memory(app) for app in self._started(place) if app is not but)
        return apps + sum(
            task.memory_in_mb
            for task in tasks
            if task.state == "RUNNING" and _is_in(task.app.space, place)
        )

    def log_rate(self, place: Space | Organization, but: App | None = None) -> int:
        """Return the log rate of all started apps in bytes per second, except for one app."""
        apps = (app for app in self._started(place) if app is not but)
        return sum(_rate(process) for app in apps for process in app.processes)

    def _count(self, place: Space | Organization, but: App) -> int:
        return sum(_instances(app) for app in self._started(place) if app is not but)

    def summary(self, place: Space | Organization) -> dict[str, int]:
        """Return the usage summary of a space or organization."""
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
            "per_app_tasks": self._tasks(place),
            "service_keys": self._marketplace.count_keys(spaces),
        }

    def platform_summary(self) -> dict[str, int]:
        """Return the usage summary of the platform."""
        places = self._world.organizations.values()
        sums = [self.summary(place) for place in places]
        names = ("started_instances", "memory_in_mb", "routes", "service_instances")
        return {name: sum(one[name] for one in sums) for name in names} | {
            "reserved_ports": 0,
            "domains": len(self._network.domains),
            "per_app_tasks": sum(one["per_app_tasks"] for one in sums),
            "service_keys": sum(one["service_keys"] for one in sums),
        }

    def _tasks(self, place: Space | Organization) -> int:
        tasks = self._shelf.tasks.values()
        running = (task for task in tasks if task.state in {"RUNNING", "PENDING"})
        return sum(_is_in(task.app.space, place) for task in running)

    def _started(self, place: Space | Organization) -> Collection[App]:
        apps = self._world.apps.values()
        return [app for app in apps if app.state == STARTED and _is_in(app.space, place)]


def _limited(space: Space) -> bool:
    return any(
        limit is not None
        for place in (space, space.organization)
        for limit in (
            place.memory_limit,
            place.instance_limit,
            place.process_memory_limit,
            place.log_rate_limit,
        )
    )


def _is_in(space: Space, place: Space | Organization) -> bool:
    return space is place or space.organization is place


def _size(process: Process) -> _Size:
    return _Size(process.instances, process.memory_in_mb, process.log_rate)


def _instances(app: App) -> int:
    return sum(process.instances for process in app.processes)


def _memory(process: Process) -> int:
    return process.instances * process.memory_in_mb


def _app_memory(app: App) -> int:
    return sum(map(_memory, app.processes))


def _rate(process: Process) -> int:
    return process.instances * max(0, process.log_rate)
