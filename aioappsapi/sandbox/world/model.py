"""Organizations, spaces, users and apps of the sandbox."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from aioappsapi.sandbox.world.instances import Instance
from aioappsapi.sandbox.world.json_types import Json

STACK: Final = "cflinuxfs4"
STARTED: Final = "STARTED"
STOPPED: Final = "STOPPED"
FEATURES: Final = {
    "ssh": True,
    "revisions": True,
    "service-binding-k8s": False,
    "file-based-vcap-services": False,
}
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


def guid(rng: random.Random) -> str:
    """Return the next GUID of this generator, in the form of a random UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def guid_of(*parts: object) -> str:
    """Return the GUID that belongs to these words; it is computed and need not be stored."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return guid(random.Random(digest))


def timestamp(seconds: float | None = None) -> str:
    """Return a time as the API writes it, by default now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@dataclass(slots=True)
class Organization:
    """An organization. While it is suspended, only admins may change its apps.

    The limits are the total memory of its started apps in MB, their total instances, the memory of
    one instance in MB, and the total log rate in bytes per second. None means no limit.
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
    log_rate_limit: int | None = None


@dataclass(slots=True)
class Space:
    """A space of an organization, which holds apps; `ssh` allows logins into its apps.

    The limits are those of an organization.
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
    log_rate_limit: int | None = None

    @property
    def quota_guid(self) -> str | None:
        """The GUID of the quota with these limits, or None without a limit."""
        limits = (
            self.memory_limit,
            self.instance_limit,
            self.process_memory_limit,
            self.log_rate_limit,
        )
        return guid_of("space quota", self.guid) if any(x is not None for x in limits) else None


@dataclass(slots=True)
class Stack:
    """A root file system for apps; `reason` is the end of the warning for its `state`."""

    name: str
    guid: str
    state: str = "ACTIVE"
    reason: str | None = None
    description: str | None = "Cloud Foundry Linux-based filesystem"
    default: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"


@dataclass(slots=True)
class User:
    """A user, with roles by the GUID of the space or organization."""

    guid: str
    name: str
    password: str
    scopes: frozenset[str] = USER_SCOPES
    roles: dict[str, set[str]] = field(default_factory=dict)
    failed_logins: int = 0
    origin: str = "uaa"
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = "2026-01-01T00:00:00Z"
    updated_at: str = "2026-01-01T00:00:00Z"

    @property
    def email(self) -> str:
        """The user's e-mail address; it is the name if that is an address."""
        return self.name if "@" in self.name else f"{self.name}@sandbox.example"

    def holds(self, role: str, where: Space | Organization) -> bool:
        """Check whether the user has this role in exactly this space or organization."""
        return role in self.roles.get(where.guid, ())

    def reads(self, space: Space) -> bool:
        """Check whether the user sees the space's apps."""
        return bool(self.roles.get(space.guid)) or self.holds("org_manager", space.organization)

    def changes(self, space: Space) -> bool:
        """Check whether the user may start and stop the space's apps."""
        held = self.roles.get(space.guid, set())
        return bool(held & {"space_developer", "space_supporter"})


@dataclass(slots=True)
class OAuthClient:
    """An OAuth client of the UAA; `scopes` are those of its own tokens."""

    name: str
    secret: str
    grants: frozenset[str]
    scopes: frozenset[str] = frozenset()


@dataclass(slots=True)
class Process:
    """One process of an app: its command, and the requested number of instances.

    Instances follow the app's state. To set other states, assign `states`, for example
    `["CRASHED"]`; `details` is then the reason in the statistics. `live` belongs to the fleet.
    A process without own times has those of its app. `version` counts its starts, and `revision`
    is the GUID of the revision that it runs.
    """

    guid: str
    type: str = "web"
    instances: int = 1
    states: list[str] | None = None
    details: str | None = None
    memory_in_mb: int = 1024
    disk_in_mb: int | None = 1024
    log_rate: int = 1048576
    command: str | None = None
    user: str | None = None
    health_check: Json | None = None
    readiness: Json | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    live: list[Instance] | None = None
    created_at: str | None = None
    updated_at: str | None = None
    version: int = 0
    revision: str | None = None

    def touch(self) -> None:
        """Set the time of the last change to now."""
        self.updated_at = timestamp()


@dataclass(slots=True)
class App:
    """An app as the API knows it; every attribute may be set while the sandbox runs.

    `number` is the order of creation, in which lists show apps. `applied` counts the starts, stops
    and restarts that took effect, whatever the answer was. `launches` counts how often instances
    were created. `features` are those that were switched, and `deletion` is the GUID of the job
    that deletes the app.
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
    stack: str | None = STACK
    buildpacks: list[str] | None = None
    credentials: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] | None = None
    processes: list[Process] = field(default_factory=list)
    launches: int = 0
    applied: Counter[str] = field(default_factory=Counter)
    actions: int = 0
    faults: int = 0
    environment: Json | None = None
    features: dict[str, bool] | None = None
    deletion: str | None = None

    def has(self, feature: str) -> bool:
        """Check whether a feature of the app is on."""
        return (self.features or {}).get(feature, FEATURES[feature])

    def switch(self, state: str) -> bool:
        """Set the requested state; return whether it is another state than before."""
        if self.state == state:
            return False
        self.state = state
        self.updated_at = timestamp()
        return True


def instance_guid(process: Process, instance: Instance) -> str:
    """Return the GUID of an instance, which changes after each crash."""
    return guid_of("instance", process.guid, instance.number, instance.index, instance.crashes)


def process_version(process: Process) -> str:
    """Return the version in Diego's errors, which changes with every start."""
    return guid_of("version", process.guid, process.version)
