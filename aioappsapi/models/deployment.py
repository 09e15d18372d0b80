"""Deployments: new instances replace old ones without downtime.

Source: https://v3-apidocs.cloudfoundry.org/#deployments
"""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from aioappsapi.models.base import Link, Metadata, Ref, Resource, Struct
from aioappsapi.models.droplet import AppOwned


class StatusDetails(Struct, frozen=True, kw_only=True, gc=False):
    """When a deployment last moved; `error` where it cannot go on."""

    last_successful_healthcheck: datetime | None = None
    last_status_change: datetime | None = None
    error: str | None = None


class CanarySteps(Struct, frozen=True, kw_only=True, gc=False):
    """How far a canary is."""

    current: int = 0
    total: int = 0


class Canary(Struct, frozen=True, kw_only=True, gc=False):
    """The progress of a canary deployment."""

    steps: CanarySteps = CanarySteps()


class DeploymentStatus(Struct, frozen=True, kw_only=True, gc=False):
    """`value` is ``ACTIVE`` or ``FINALIZED``, `reason` says how."""

    value: str = ""
    reason: str = ""
    details: StatusDetails = StatusDetails()
    canary: Canary | None = None


class CanaryStep(Struct, frozen=True, kw_only=True, gc=False):
    """A step of a canary: the share of new instances, in percent."""

    instance_weight: int | None = None


class CanaryOptions(Struct, frozen=True, kw_only=True, gc=False):
    """How a canary goes."""

    steps: list[CanaryStep] | None = None


class DeploymentOptions(Struct, frozen=True, kw_only=True, gc=False):
    """How a deployment goes."""

    max_in_flight: int | None = None
    web_instances: int | None = None
    memory_in_mb: int | None = None
    disk_in_mb: int | None = None
    log_rate_limit_in_bytes_per_second: int | None = None
    canary: CanaryOptions | None = None


class DeployedProcess(Struct, frozen=True, kw_only=True, gc=False):
    """A process that a deployment made."""

    guid: str
    type: str = ""


class RevisionRef(Struct, frozen=True, kw_only=True, gc=False):
    """A revision, by GUID and number."""

    guid: str | None = None
    version: int | None = None


class Deployment(Resource, frozen=True, kw_only=True, gc=False):
    """A deployment; `strategy` is ``rolling``, ``canary`` or ``recreate``."""

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
