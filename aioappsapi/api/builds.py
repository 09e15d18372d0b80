"""Builds, which make droplets from packages. Source: https://v3-apidocs.cloudfoundry.org/#builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aioappsapi.api.checks import check_labels
from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.poll import poll_until
from aioappsapi.api.queries import list_queries
from aioappsapi.errors import BuildFailedError
from aioappsapi.models.build import Build
from aioappsapi.models.page import Page

LIST: Final = endpoint("list builds", "GET", "/v3/builds", Page[Build], "list-builds")
GET: Final = endpoint("get build", "GET", "/v3/builds/{}", Build, "get-a-build")
CREATE: Final = endpoint("create build", "POST", "/v3/builds", Build, "create-a-build")


class Builds(Endpoints):
    """The endpoints of builds."""

    def list(
        self,
        *,
        app_guids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Build]:
        """List builds.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/builds.
        """
        queries = list_queries(
            {"app_guids": app_guids},
            lists={"states": states},
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Build:
        """Fetch a build. Raises NotFoundError. Source: GET /v3/builds/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def create(
        self,
        package_guid: str,
        *,
        labels: Mapping[str, str] | None = None,
        stack: str | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> Build:
        """Begin to build a droplet from a package; `wait` returns the build when it is staged.

        `stack` builds for another stack than the app's; the app keeps its stack.
        Raises InvalidInputError for labels that the server would surely refuse, unless `validate`
        is false; BadRequestError if the package is not ready; UnprocessableError titled
        ``CF-StagingInProgress`` while the app has another build. Source: POST /v3/builds.
        """
        body: dict[str, object] = {"package": {"guid": package_guid}}
        if labels is not None:
            if validate:
                check_labels(labels)
            body["metadata"] = {"labels": dict(labels)}
        if stack is not None:
            body["lifecycle"] = {"type": "buildpack", "data": {"stack": stack}}
        return await self._caller.call(CREATE, body=body, deadline=deadline)

    async def wait(self, build: Build | str, *, deadline: float | None = None) -> Build:
        """Poll a build at growing intervals until it is staged; `build.droplet` is then set.

        `deadline` is in seconds from now. Raises BuildFailedError with the build's own error,
        DeadlineError if the build takes longer, NotFoundError. Source: GET /v3/builds/{guid}.
        """
        guid = build.guid if isinstance(build, Build) else build
        ended = await poll_until(
            self._caller,
            lambda: self.get(guid),
            lambda build: build.state in {"STAGED", "FAILED"},
            what=f"wait for build {guid}",
            deadline=deadline,
            describe=lambda build: build.state,
        )
        if ended.state == "FAILED":
            raise BuildFailedError(
                f"build {guid} failed: {ended.error or 'the server gives no reason'}", guid=guid
            )
        return ended
