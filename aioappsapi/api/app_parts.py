"""The parts of an app: droplet, environment, features, permissions, ssh.

Source: https://v3-apidocs.cloudfoundry.org/#apps and #app-features
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aioappsapi._http.message import Replay
from aioappsapi.api.checks import check_variables
from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.jobs import job_of
from aioappsapi.api.pager import Pager
from aioappsapi.models.droplet import Droplet, DropletAssociation
from aioappsapi.models.environment import Environment, EnvironmentVariables
from aioappsapi.models.feature import AppFeature, AppPermissions, SshEnabled
from aioappsapi.models.job import Job
from aioappsapi.models.page import Page
from aioappsapi.models.sidecar import Sidecar

GET_CURRENT_DROPLET: Final = endpoint(
    "get current droplet of app",
    "GET",
    "/v3/apps/{}/droplets/current",
    Droplet,
    "get-current-droplet",
)
GET_CURRENT_DROPLET_ASSOCIATION: Final = endpoint(
    "get current droplet association of app",
    "GET",
    "/v3/apps/{}/relationships/current_droplet",
    DropletAssociation,
    "get-current-droplet-association-for-an-app",
)
SET_CURRENT_DROPLET: Final = endpoint(
    "set current droplet of app",
    "PATCH",
    "/v3/apps/{}/relationships/current_droplet",
    DropletAssociation,
    "set-current-droplet",
)
CLEAR_BUILDPACK_CACHE: Final = endpoint(
    "clear buildpack cache of app",
    "POST",
    "/v3/apps/{}/actions/clear_buildpack_cache",
    Job,
    "clear-buildpack-cache-for-an-app",
    replay=Replay.IDEMPOTENT,
    read=job_of,
)
GET_ENV: Final = endpoint(
    "get env of app",
    "GET",
    "/v3/apps/{}/env",
    Environment,
    "get-environment-for-an-app",
    sensitive=True,
)
GET_ENVIRONMENT_VARIABLES: Final = endpoint(
    "get environment variables of app",
    "GET",
    "/v3/apps/{}/environment_variables",
    EnvironmentVariables,
    "get-environment-variables-for-an-app",
    sensitive=True,
)
UPDATE_ENVIRONMENT_VARIABLES: Final = endpoint(
    "update environment variables of app",
    "PATCH",
    "/v3/apps/{}/environment_variables",
    EnvironmentVariables,
    "update-environment-variables-for-an-app",
    sensitive=True,
)
LIST_FEATURES: Final = endpoint(
    "list features of app", "GET", "/v3/apps/{}/features", Page[AppFeature], "list-app-features"
)
GET_FEATURE: Final = endpoint(
    "get feature of app", "GET", "/v3/apps/{}/features/{}", AppFeature, "get-an-app-feature"
)
UPDATE_FEATURE: Final = endpoint(
    "update feature of app",
    "PATCH",
    "/v3/apps/{}/features/{}",
    AppFeature,
    "update-an-app-feature",
)
LIST_SIDECARS: Final = endpoint(
    "list sidecars of app", "GET", "/v3/apps/{}/sidecars", Page[Sidecar], "list-sidecars-for-app"
)
GET_PERMISSIONS: Final = endpoint(
    "get permissions of app",
    "GET",
    "/v3/apps/{}/permissions",
    AppPermissions,
    "get-permissions-for-an-app",
)
GET_SSH_ENABLED: Final = endpoint(
    "get ssh enabled of app",
    "GET",
    "/v3/apps/{}/ssh_enabled",
    SshEnabled,
    "get-ssh-enabled-for-an-app",
)


class AppParts(Endpoints):
    """The endpoints of the parts of an app; a base of `Apps`."""

    async def get_current_droplet(self, guid: str, *, deadline: float | None = None) -> Droplet:
        """Fetch the droplet that an app runs, or would run after a start.

        Raises NotFoundError, also if the app has none.
        Source: GET /v3/apps/{guid}/droplets/current.
        """
        return await self._caller.call(GET_CURRENT_DROPLET, guid, deadline=deadline)

    async def get_current_droplet_association(
        self, guid: str, *, deadline: float | None = None
    ) -> DropletAssociation:
        """Fetch only the GUID of an app's current droplet, in `data.guid`.

        `data`, or its GUID, is None if the app has none. Raises NotFoundError.
        Source: GET /v3/apps/{guid}/relationships/current_droplet.
        """
        return await self._caller.call(GET_CURRENT_DROPLET_ASSOCIATION, guid, deadline=deadline)

    async def set_current_droplet(
        self, guid: str, droplet_guid: str, *, deadline: float | None = None
    ) -> DropletAssociation:
        """Set the droplet that the app runs after its next start or restart.

        Until then a running app keeps its old droplet. Raises UnprocessableError for a droplet of
        another app or an unstaged droplet.
        Source: PATCH /v3/apps/{guid}/relationships/current_droplet.
        """
        body = {"data": {"guid": droplet_guid}}
        return await self._caller.call(SET_CURRENT_DROPLET, guid, body=body, deadline=deadline)

    async def clear_buildpack_cache(self, guid: str, *, deadline: float | None = None) -> Job:
        """Delete what buildpacks kept from earlier builds, and return the job that does it.

        Raises NotFoundError.
        Source: POST /v3/apps/{guid}/actions/clear_buildpack_cache.
        """
        return await self._caller.call(CLEAR_BUILDPACK_CACHE, guid, deadline=deadline)

    async def get_env(self, guid: str, *, deadline: float | None = None) -> Environment:
        """Fetch the whole environment of an app. It holds secrets: handle it with care.

        A part is None if the login may not read it. Raises NotFoundError, ForbiddenError.
        Source: GET /v3/apps/{guid}/env.
        """
        return await self._caller.call(GET_ENV, guid, deadline=deadline)

    async def get_environment_variables(
        self, guid: str, *, deadline: float | None = None
    ) -> EnvironmentVariables:
        """Fetch the variables that users gave an app, in `var`. They may be secrets.

        Raises NotFoundError, ForbiddenError.
        Source: GET /v3/apps/{guid}/environment_variables.
        """
        return await self._caller.call(GET_ENVIRONMENT_VARIABLES, guid, deadline=deadline)

    async def update_environment_variables(
        self,
        guid: str,
        variables: Mapping[str, str | None],
        *,
        validate: bool = True,
        deadline: float | None = None,
    ) -> EnvironmentVariables:
        """Set variables of an app and return all of them; None deletes a variable, the others stay.

        They take effect at the next start. Raises InvalidInputError for values that the server
        would surely refuse, unless `validate` is false; NotFoundError, ForbiddenError. No error
        quotes a value.
        Source: PATCH /v3/apps/{guid}/environment_variables.
        """
        if validate:
            check_variables(variables, strings_only=True)
        return await self._caller.call(
            UPDATE_ENVIRONMENT_VARIABLES, guid, body={"var": dict(variables)}, deadline=deadline
        )

    def list_features(self, guid: str) -> Pager[AppFeature]:
        """List the features of an app: a handful, on one page.

        The pager raises NotFoundError. Source: GET /v3/apps/{guid}/features.
        """
        return Pager(self._caller, LIST_FEATURES, [{}], path=[guid])

    async def get_feature(
        self, guid: str, name: str, *, deadline: float | None = None
    ) -> AppFeature:
        """Fetch a feature of an app, such as ``ssh``.

        Raises NotFoundError. Source: GET /v3/apps/{guid}/features/{name}.
        """
        return await self._caller.call(GET_FEATURE, guid, name, deadline=deadline)

    async def update_feature(
        self, guid: str, name: str, *, enabled: bool, deadline: float | None = None
    ) -> AppFeature:
        """Switch a feature of an app on or off; some features change only at the next start.

        Raises NotFoundError, ForbiddenError, UnprocessableError.
        Source: PATCH /v3/apps/{guid}/features/{name}.
        """
        body = {"enabled": enabled}
        return await self._caller.call(UPDATE_FEATURE, guid, name, body=body, deadline=deadline)

    def list_sidecars(self, guid: str) -> Pager[Sidecar]:
        """List the sidecars of an app. The pager raises NotFoundError.

        Source: GET /v3/apps/{guid}/sidecars.
        """
        return Pager(self._caller, LIST_SIDECARS, [{}], path=[guid])

    async def get_permissions(self, guid: str, *, deadline: float | None = None) -> AppPermissions:
        """Fetch the permissions of this login for an app.

        Raises NotFoundError. Source: GET /v3/apps/{guid}/permissions.
        """
        return await self._caller.call(GET_PERMISSIONS, guid, deadline=deadline)

    async def get_ssh_enabled(self, guid: str, *, deadline: float | None = None) -> SshEnabled:
        """Check whether ssh is enabled for an app; `reason` says where it is disabled.

        The app, its space and the platform all have to allow it. Raises NotFoundError.
        Source: GET /v3/apps/{guid}/ssh_enabled.
        """
        return await self._caller.call(GET_SSH_ENABLED, guid, deadline=deadline)
