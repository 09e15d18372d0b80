from . import (
    errors as errors,
    models as models,
)
from ._http.call_log import (
    Exchanges as Exchanges,
)
from ._http.limits.throttle import (
    Pause as Pause,
)
from ._http.message import (
    RateLimit as RateLimit,
    Response as Response,
)
from ._version import (
    __version__ as __version__,
)
from .api.pager import (
    Pager as Pager,
)
from .auth import (
    Auth as Auth,
    CfCliLogin as CfCliLogin,
    ClientCredentials as ClientCredentials,
    JwtBearer as JwtBearer,
    Passcode as Passcode,
    PasswordGrant as PasswordGrant,
    RefreshToken as RefreshToken,
    StaticToken as StaticToken,
    Token as Token,
    TokenEndpoint as TokenEndpoint,
)
from .bulk import (
    AppState as AppState,
    Comparison as Comparison,
    Outcome as Outcome,
    Plan as Plan,
    Report as Report,
    Run as Run,
    RunAbortedError as RunAbortedError,
    RunOptions as RunOptions,
    Scale as Scale,
    Snapshot as Snapshot,
    Status as Status,
    Wave as Wave,
    Waves as Waves,
    report_of as report_of,
)
from .client import (
    Client as Client,
)
from .config import (
    Limits as Limits,
    RetryPolicy as RetryPolicy,
    Timeouts as Timeouts,
    Tls as Tls,
)
from .errors import (
    AbandonedError as AbandonedError,
    AppsApiError as AppsApiError,
    AuthError as AuthError,
    BadRequestError as BadRequestError,
    BuildFailedError as BuildFailedError,
    CertificateError as CertificateError,
    ClosedError as ClosedError,
    ConflictError as ConflictError,
    ConnectError as ConnectError,
    CrashedError as CrashedError,
    DeadlineError as DeadlineError,
    DecodeError as DecodeError,
    DeploymentFailedError as DeploymentFailedError,
    DeploymentInProgressError as DeploymentInProgressError,
    DisconnectedError as DisconnectedError,
    ForbiddenError as ForbiddenError,
    InvalidInputError as InvalidInputError,
    JobFailedError as JobFailedError,
    NotAttemptedError as NotAttemptedError,
    NotFoundError as NotFoundError,
    NotIncludedError as NotIncludedError,
    NotRunningError as NotRunningError,
    PlacementError as PlacementError,
    RateLimitedError as RateLimitedError,
    ReadTimeout as ReadTimeout,
    RedirectedError as RedirectedError,
    ResponseError as ResponseError,
    ServerError as ServerError,
    TargetError as TargetError,
    TaskLostError as TaskLostError,
    TlsError as TlsError,
    TransportError as TransportError,
    UnauthorizedError as UnauthorizedError,
    UnprocessableError as UnprocessableError,
    UnverifiedError as UnverifiedError,
)
from .fleet.fleet import (
    Fleet as Fleet,
)
from .fleet.run import (
    FleetRun as FleetRun,
)
from .fleet.run_on import (
    run_on as run_on,
)
from .fleet.target import (
    Target as Target,
)
from .fleet.target_task import (
    TargetTask as TargetTask,
)
from .fleet.targets_file import (
    read_targets as read_targets,
)
from .models.app import (
    App as App,
)
