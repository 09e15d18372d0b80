"""The resources that belong to apps: droplets, packages, builds, deployments, tasks, jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App, timestamp

PATIENCE: Final = 1.0
DEFAULT_TYPES: Final[Mapping[str, str]] = {"web": "python app.py"}
_FIRST_REVISION: Final = "Initial revision."


@dataclass(slots=True)
class Pending:
    """Work in progress. It ends at `due`, or when it is read for the second time."""

    due: float
    finish: Callable[[], None]
    seen: bool = False


@dataclass(slots=True, kw_only=True)
class Resource:
    """The members of every resource."""

    guid: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created_at: str = field(default_factory=timestamp)
    updated_at: str = field(default_factory=timestamp)
    pending: Pending | None = None

    def touch(self) -> None:
        """Set the time of the last change to now."""
        self.updated_at = timestamp()


@dataclass(slots=True, kw_only=True)
class Droplet(Resource):
    """A staged app, ready to run."""

    app: App
    state: str = "STAGED"
    image: str | None = None
    package: str | None = None
    lifecycle: str = "buildpack"
    stack: str | None = None
    error: str | None = None
    uploaded: bool = True
    detected: bool = True
    process_types: dict[str, str] | None = field(default_factory=lambda: dict(DEFAULT_TYPES))
    buildpacks: list[str] = field(default_factory=lambda: ["python_buildpack"])


@dataclass(slots=True, kw_only=True)
class Package(Resource):
    """The source of an app, or the name of its image."""

    app: App
    type: str = "bits"
    state: str = "READY"
    image: str | None = None
    username: str | None = None
    uploaded: bool = True


@dataclass(slots=True, kw_only=True)
class Build(Resource):
    """The staging of a package."""

    app: App
    package: str
    state: str = "STAGING"
    droplet: str | None = None
    error: str | None = None
    memory_in_mb: int = 1024
    disk_in_mb: int = 4096
    log_rate: int = 1048576
    lifecycle: Json = field(default_factory=lambda: {"type": "buildpack", "data": {}})
    creator: tuple[str, str, str] = ("", "", "")


class Phase(Enum):
    """The phase of a deployment; `CANARY` starts the instances of a canary's next step."""

    CANARY = auto()
    DEPLOYING = auto()
    PAUSED = auto()
    CANCELING = auto()
    DEPLOYED = auto()
    CANCELED = auto()
    SUPERSEDED = auto()

    @property
    def reason(self) -> str:
        """The phase as the API's status reason."""
        return "DEPLOYING" if self is Phase.CANARY else self.name

    @property
    def active(self) -> bool:
        """Whether the deployment is not over yet."""
        return self not in {Phase.DEPLOYED, Phase.CANCELED, Phase.SUPERSEDED}


@dataclass(slots=True, kw_only=True)
class Deployment(Resource):
    """The replacement of an app's web instances by new ones, some at a time.

    `original` is the number of web instances before, and `process` the GUID of the new web process.
    `gave_up_canary`: it was superseded while its canary came up, so its instances stop at once.
    `steps` are the weights of a canary in percent.
    """

    app: App
    strategy: str = "rolling"
    phase: Phase = Phase.DEPLOYING
    droplet: str | None = None
    previous_droplet: str | None = None
    revision: Revision | None = None
    process: str | None = None
    max_in_flight: int = 1
    web_instances: int | None = None
    memory_in_mb: int | None = None
    disk_in_mb: int | None = None
    log_rate: int | None = None
    steps: list[int] | None = None
    step: int = 1
    original: int = 1
    gave_up_canary: bool = False
    error: str | None = None
    healthy_at: str = field(default_factory=timestamp)
    status_changed_at: str = field(default_factory=timestamp)

    @property
    def state(self) -> str:
        """The server's older name of the phase, which only the filter `states` knows."""
        if self.phase is Phase.SUPERSEDED:
            return "CANCELED" if self.gave_up_canary else "DEPLOYED"
        return "PREPAUSED" if self.phase is Phase.CANARY else self.phase.name

    @property
    def target(self) -> int:
        """The number of web instances at the end."""
        return self.original if self.web_instances is None else self.web_instances

    def turn(self, phase: Phase) -> None:
        """Enter another phase."""
        before, self.phase = self.phase, phase
        self.touch()
        if before.reason != phase.reason:
            self.status_changed_at = self.updated_at

    def canary(self) -> tuple[int, int]:
        """Return the numbers of new and old instances in the present step of a canary."""
        if self.steps is None:
            return 1, self.original
        wanted = min(self.target, self.original)
        weight = self.steps[self.step - 1]
        # Ruby rounds a half up.
        new = max(1, (wanted * weight + 50) // 100)
        return new, 0 if weight == 100 else wanted - new + 1


@dataclass(slots=True, kw_only=True)
class Task(Resource):
    """A command that runs once."""

    app: App
    command: str
    name: str
    sequence: int = 1
    state: str = "RUNNING"
    memory_in_mb: int = 1024
    disk_in_mb: int = 1024
    log_rate: int = 1048576
    user: str | None = None
    failure: str | None = None
    droplet: str | None = None


@dataclass(slots=True, kw_only=True)
class Job(Resource):
    """Work that goes on after the answer; `resource` is the kind and the GUID of its resource."""

    operation: str
    resource: tuple[str, str] | None = None
    state: str = "PROCESSING"
    errors: list[Json] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Revision(Resource):
    """The droplet, variables and commands of an app at one time."""

    app: App
    number: int = 1
    droplet: str | None = None
    description: str = ""
    environment: Json = field(default_factory=dict)
    commands: dict[str, str | None] = field(default_factory=dict)
    sidecars: list[Json] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Sidecar(Resource):
    """A command that runs in the containers of some processes of an app."""

    app: App
    name: str
    command: str
    process_types: list[str] = field(default_factory=list)
    memory_in_mb: int | None = None
