"""The resources of the API as immutable, typed values: what the calls of the client return."""

from aioappsapi.errors import ApiError
from aioappsapi.models.app import (
    App,
    AppLinks,
    AppRelationships,
    Lifecycle,
    LifecycleData,
)
from aioappsapi.models.audit_event import AuditEvent, EventParty
from aioappsapi.models.base import (
    Link,
    Metadata,
    Pagination,
    Ref,
    Relationship,
)
from aioappsapi.models.build import (
    Build,
    Creator,
    Package,
    PackageData,
)
from aioappsapi.models.deployment import (
    Canary,
    CanaryOptions,
    CanaryStep,
    CanarySteps,
    DeployedProcess,
    Deployment,
    DeploymentOptions,
    DeploymentStatus,
    RevisionRef,
    StatusDetails,
)
from aioappsapi.models.droplet import (
    AppOwned,
    Checksum,
    Droplet,
    DropletAssociation,
    DropletBuildpack,
)
from aioappsapi.models.environment import (
    Environment,
    EnvironmentVariables,
    Json,
)
from aioappsapi.models.feature import (
    AppFeature,
    AppPermissions,
    SshEnabled,
)
from aioappsapi.models.feature_flag import FeatureFlag
from aioappsapi.models.info import (
    CliVersion,
    Info,
    RateLimits,
)
from aioappsapi.models.job import (
    Job,
    JobWarning,
)
from aioappsapi.models.organization import (
    Organization,
    OrganizationLinks,
    OrganizationRelationships,
)
from aioappsapi.models.page import (
    Included,
    Page,
)
from aioappsapi.models.process import (
    HealthCheck,
    HealthCheckData,
    InstancePort,
    InstanceStats,
    Process,
    ProcessInstance,
    ProcessLinks,
    ProcessRelationships,
    ProcessStats,
    Usage,
)
from aioappsapi.models.quota import (
    AppQuota,
    Quota,
    QuotaRelationships,
    QuotaUsage,
    Relationships,
)
from aioappsapi.models.role import (
    Role,
    RoleRelationships,
)
from aioappsapi.models.root import (
    MetaLink,
    Root,
    RootLinks,
)
from aioappsapi.models.sidecar import Sidecar
from aioappsapi.models.space import (
    Space,
    SpaceLinks,
    SpaceRelationships,
)

__all__ = [
    "ApiError",
    "App",
    "AppFeature",
    "AppLinks",
    "AppOwned",
    "AppPermissions",
    "AppQuota",
    "AppRelationships",
    "AuditEvent",
    "Build",
    "Canary",
    "CanaryOptions",
    "CanaryStep",
    "CanarySteps",
    "Checksum",
    "CliVersion",
    "Creator",
    "DeployedProcess",
    "Deployment",
    "DeploymentOptions",
    "DeploymentStatus",
    "Droplet",
    "DropletAssociation",
    "DropletBuildpack",
    "Environment",
    "EnvironmentVariables",
    "EventParty",
    "FeatureFlag",
    "HealthCheck",
    "HealthCheckData",
    "Included",
    "Info",
    "InstancePort",
    "InstanceStats",
    "Job",
    "JobWarning",
    "Json",
    "Lifecycle",
    "LifecycleData",
    "Link",
    "MetaLink",
    "Metadata",
    "Organization",
    "OrganizationLinks",
    "OrganizationRelationships",
    "Package",
    "PackageData",
    "Page",
    "Pagination",
    "Process",
    "ProcessInstance",
    "ProcessLinks",
    "ProcessRelationships",
    "ProcessStats",
    "Quota",
    "QuotaRelationships",
    "QuotaUsage",
    "RateLimits",
    "Ref",
    "Relationship",
    "Relationships",
    "RevisionRef",
    "Role",
    "RoleRelationships",
    "Root",
    "RootLinks",
    "Sidecar",
    "Space",
    "SpaceLinks",
    "SpaceRelationships",
    "SshEnabled",
    "StatusDetails",
    "Usage",
]
