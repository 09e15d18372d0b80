"""Deployments: new instances replace old ones without downtime.

Source: https://v3-apidocs.cloudfoundry.org/#deployments
"""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Ref, Resource, Struct
from aioappsapi.models.droplet import AppOwned


class StatusDetails(Struct, frozen=True, kw_only=True, gc=False):
    """When a deployment last made progress, and the `error` that holds it up."""

    last_successful_healthcheck: datetime | None = None
    last_status_change: datetime | None = None
    error: str | None = None


class CanarySteps(Struct, frozen=True, kw_only=True, gc=False):
    """The current step of a canary deployment, and the number of its steps."""

    current: int = 0
    total: int = 0


class Canary(Struct, frozen=True, kw_only=True, gc=False):
    """The progress of a canary deployment."""

    steps: CanarySteps = CanarySteps()


class DeploymentStatus(Struct, frozen=True, kw_only=True, gc=False):
    """The status of a deployment. `value` is ``ACTIVE`` or ``FINALIZED``; `reason` says why.

    Deployments of servers before 2019 have no reason.
    """

    value: str | None = ""
    reason: str | None = ""
    details: StatusDetails = StatusDetails()
    canary: Canary | None = None


class CanaryStep(Struct, frozen=True, kw_only=True, gc=False):
    """A step of a canary deployment. `instance_weight` is the share of new instances in percent."""

    instance_weight: int | None = None


class CanaryOptions(Struct, frozen=True, kw_only=True, gc=False):
    """The steps of a canary deployment."""

    steps: list[CanaryStep] | None = None


class DeploymentOptions(Struct, frozen=True, kw_only=True, gc=False):
    """The options of a deployment. `max_in_flight` is how many instances it replaces at once."""

    max_in_flight: int | None = None
    web_instances: int | None = None
    memory_in_mb: int | None = None
    disk_in_mb: int | None = None
    log_rate_limit_in_bytes_per_second: int | None = None
    canary: CanaryOptions | None = None


class DeployedProcess(Struct, frozen=True, kw_only=True, gc=False):
    """A process that a deployment created."""

    guid: str
    type: str = ""


class RevisionRef(Struct, frozen=True, kw_only=True, gc=False):
    """The GUID and the number of a revision."""

    guid: str | None = None
    version: int | None = None


class Deployment(Resource, frozen=True, kw_only=True, gc=False):
    """A deployment. `strategy` is ``rolling``, ``canary`` or ``recreate``."""

    status: DeploymentStatus = DeploymentStatus()
    strategy: str = ""
    options: DeploymentOptions | None = None
    droplet: Ref | None = None
    previous_droplet: Ref | None = None
    new_processes: list[DeployedProcess] = []
    revision: RevisionRef | None = None
    relationships: AppOwned = AppOwned()
    metadata: Metadata = field(default_factory=Metadata)
    links: dict[str, Link] = {}
