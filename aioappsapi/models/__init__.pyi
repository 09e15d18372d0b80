from .app import (
    App as App,
    AppLinks as AppLinks,
    AppRelationships as AppRelationships,
    Lifecycle as Lifecycle,
    LifecycleData as LifecycleData,
)
from .audit_event import (
    AuditEvent as AuditEvent,
    EventParty as EventParty,
)
from .base import (
    Link as Link,
    Metadata as Metadata,
    Pagination as Pagination,
    Ref as Ref,
    Relationship as Relationship,
)
from .build import (
    Build as Build,
    Creator as Creator,
    Package as Package,
    PackageData as PackageData,
)
from .deployment import (
    Canary as Canary,
    CanaryOptions as CanaryOptions,
    CanaryStep as CanaryStep,
    CanarySteps as CanarySteps,
    DeployedProcess as DeployedProcess,
    Deployment as Deployment,
    DeploymentOptions as DeploymentOptions,
    DeploymentStatus as DeploymentStatus,
    RevisionRef as RevisionRef,
    StatusDetails as StatusDetails,
)
from .droplet import (
    AppOwned as AppOwned,
    Checksum as Checksum,
    Droplet as Droplet,
    DropletAssociation as DropletAssociation,
    DropletBuildpack as DropletBuildpack,
)
from .environment import (
    Environment as Environment,
    EnvironmentVariables as EnvironmentVariables,
    Json as Json,
)
from .error import (
    ApiError as ApiError,
)
from .feature import (
    AppFeature as AppFeature,
    AppPermissions as AppPermissions,
    SshEnabled as SshEnabled,
)
from .feature_flag import (
    FeatureFlag as FeatureFlag,
)
from .info import (
    CliVersion as CliVersion,
    Info as Info,
    RateLimits as RateLimits,
)
from .job import (
    Job as Job,
    JobWarning as JobWarning,
)
from .organization import (
    Organization as Organization,
    OrganizationLinks as OrganizationLinks,
    OrganizationRelationships as OrganizationRelationships,
)
from .page import (
    Included as Included,
    Page as Page,
)
from .process import (
    HealthCheck as HealthCheck,
    HealthCheckData as HealthCheckData,
    InstancePort as InstancePort,
    InstanceStats as InstanceStats,
    Process as Process,
    ProcessInstance as ProcessInstance,
    ProcessLinks as ProcessLinks,
    ProcessRelationships as ProcessRelationships,
    ProcessStats as ProcessStats,
    Usage as Usage,
)
from .quota import (
    AppQuota as AppQuota,
    Quota as Quota,
    QuotaRelationships as QuotaRelationships,
    QuotaUsage as QuotaUsage,
    Relationships as Relationships,
)
from .role import (
    Role as Role,
    RoleRelationships as RoleRelationships,
)
from .root import (
    MetaLink as MetaLink,
    Root as Root,
    RootLinks as RootLinks,
)
from .sidecar import (
    Sidecar as Sidecar,
)
from .space import (
    Space as Space,
    SpaceLinks as SpaceLinks,
    SpaceRelationships as SpaceRelationships,
)
