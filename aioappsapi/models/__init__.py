"""The resources of the API as immutable, typed values."""

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
from aioappsapi.models.error import ApiError
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
from aioappsapi.models.quota import AppQuota, Quota, QuotaUsage
from aioappsapi.models.revision import (
    Revision,
    RevisionProcess,
    RevisionSidecar,
)
from aioappsapi.models.root import (
    Root,
    RootLinks,
)
from aioappsapi.models.route import (
    Destination,
    DestinationApp,
    DestinationProcess,
    Domain,
    DomainRelationships,
    Route,
    RouteRelationships,
    ToMany,
)
from aioappsapi.models.service import (
    BrokerCatalog,
    BrokerFeatures,
    LastOperation,
    MaintenanceInfo,
    ManagedServiceInstance,
    ServiceInstance,
    ServiceInstanceRelationships,
    ServiceOffering,
    ServiceOfferingRelationships,
    UserProvidedServiceInstance,
)
from aioappsapi.models.sidecar import Sidecar
from aioappsapi.models.space import (
    Space,
    SpaceLinks,
    SpaceRelationships,
)
from aioappsapi.models.task import (
    Task,
    TaskResult,
)
from aioappsapi.models.user import (
    Role,
    RoleRelationships,
    User,
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
    "BrokerCatalog",
    "BrokerFeatures",
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
    "Destination",
    "DestinationApp",
    "DestinationProcess",
    "Domain",
    "DomainRelationships",
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
    "LastOperation",
    "Lifecycle",
    "LifecycleData",
    "Link",
    "MaintenanceInfo",
    "ManagedServiceInstance",
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
    "QuotaUsage",
    "RateLimits",
    "Ref",
    "Relationship",
    "Revision",
    "RevisionProcess",
    "RevisionRef",
    "RevisionSidecar",
    "Role",
    "RoleRelationships",
    "Root",
    "RootLinks",
    "Route",
    "RouteRelationships",
    "ServiceInstance",
    "ServiceInstanceRelationships",
    "ServiceOffering",
    "ServiceOfferingRelationships",
    "Sidecar",
    "Space",
    "SpaceLinks",
    "SpaceRelationships",
    "SshEnabled",
    "StatusDetails",
    "Task",
    "TaskResult",
    "ToMany",
    "Usage",
    "User",
    "UserProvidedServiceInstance",
]
