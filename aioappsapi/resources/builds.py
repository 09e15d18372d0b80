"""Builds, packages and droplets: from code to what an app runs.

Source: https://v3-apidocs.cloudfoundry.org/#builds, #packages and #droplets
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aioappsapi._http.call import Caller
from aioappsapi.models.build import Build, Package
from aioappsapi.models.droplet import Droplet
from aioappsapi.models.job import Job
from aioappsapi.models.page import Page
from aioappsapi.resources.checks import check_labels, refuse_unless
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.jobs import job_of
from aioappsapi.resources.paging import Pager, comma_list, page_size, split_queries

LIST_BUILDS: Final = endpoint("list builds", "GET", "/v3/builds", Page[Build], "list-builds")
GET_BUILD: Final = endpoint("get build", "GET", "/v3/builds/{}", Build, "get-a-build")
CREATE_BUILD: Final = endpoint("create build", "POST", "/v3/builds", Build, "create-a-build")
LIST_PACKAGES: Final = endpoint(
    "list packages", "GET", "/v3/packages", Page[Package], "list-packages"
)
GET_PACKAGE: Final = endpoint("get package", "GET", "/v3/packages/{}", Package, "get-a-package")
CREATE_PACKAGE: Final = endpoint(
    "create package", "POST", "/v3/packages", Package, "create-a-package"
)
LIST_DROPLETS: Final = endpoint(
    "list droplets", "GET", "/v3/droplets", Page[Droplet], "list-droplets"
)
GET_DROPLET: Final = endpoint("get droplet", "GET", "/v3/droplets/{}", Droplet, "get-a-droplet")
COPY_DROPLET: Final = endpoint("copy droplet", "POST", "/v3/droplets", Droplet, "copy-a-droplet")
DELETE_DROPLET: Final = endpoint(
    "delete droplet", "DELETE", "/v3/droplets/{}", Job, "delete-a-droplet", read=job_of
)


def _of_app(guid: str) -> dict[str, object]:
    return {"app": {"data": {"guid": guid}}}


class Builds:
    """The operations on builds."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        app_guids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Build]:
        """List builds. Source: GET /v3/builds."""
        query = {**comma_list("states", states), **page_size(per_page)}
        queries = split_queries(query, {"app_guids": app_guids})
        return Pager(self._caller, LIST_BUILDS, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Build:
        """Fetch a build. Raises NotFoundError. Source: GET /v3/builds/{guid}."""
        return await self._caller.call(GET_BUILD, guid, deadline=deadline)

    async def create(
        self,
        package_guid: str,
        *,
        labels: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Build:
        """Begin to make a droplet of a package.

        Raises UnprocessableError, titled ``CF-StagingInProgress`` while another build of the app
        goes on. Source: POST /v3/builds.
        """
        body: dict[str, object] = {"package": {"guid": package_guid}}
        if labels is not None:
            check_labels(labels)
            body["metadata"] = {"labels": dict(labels)}
        return await self._caller.call(CREATE_BUILD, body=body, deadline=deadline)


class Packages:
    """The operations on packages."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        app_guids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Package]:
        """List packages. Source: GET /v3/packages."""
        query = {
            **comma_list("states", states),
            **comma_list("types", types),
            **page_size(per_page),
        }
        queries = split_queries(query, {"guids": guids, "app_guids": app_guids})
        return Pager(self._caller, LIST_PACKAGES, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Package:
        """Fetch a package. Raises NotFoundError. Source: GET /v3/packages/{guid}."""
        return await self._caller.call(GET_PACKAGE, guid, deadline=deadline)

    async def create_docker(
        self,
        app_guid: str,
        image: str,
        *,
        username: str | None = None,
        password: str | None = None,
        deadline: float | None = None,
    ) -> Package:
        """Make a package of a docker image, perhaps with a login of its registry.

        The image is not looked at: a wrong one shows when the app does not come up.
        Source: POST /v3/packages.
        """
        refuse_unless(bool(image), "image is empty: it would look like registry.example.com/x:1.")
        login = {"username": username, "password": password}
        data = {"image": image} | {name: one for name, one in login.items() if one is not None}
        body = {"type": "docker", "data": data, "relationships": _of_app(app_guid)}
        return await self._caller.call(CREATE_PACKAGE, body=body, deadline=deadline)


class Droplets:
    """The operations on droplets."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        app_guids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[Droplet]:
        """List droplets. Source: GET /v3/droplets."""
        query = {**comma_list("states", states), **page_size(per_page)}
        queries = split_queries(query, {"guids": guids, "app_guids": app_guids})
        return Pager(self._caller, LIST_DROPLETS, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Droplet:
        """Fetch a droplet. Raises NotFoundError. Source: GET /v3/droplets/{guid}."""
        return await self._caller.call(GET_DROPLET, guid, deadline=deadline)

    async def copy(
        self, source_guid: str, app_guid: str, *, deadline: float | None = None
    ) -> Droplet:
        """Copy a droplet for another app. Source: POST /v3/droplets?source_guid=…."""
        return await self._caller.call(
            COPY_DROPLET,
            query={"source_guid": source_guid},
            body={"relationships": _of_app(app_guid)},
            deadline=deadline,
        )

    async def delete(self, guid: str, *, deadline: float | None = None) -> Job:
        """Delete a droplet; give the job that does it. Source: DELETE /v3/droplets/{guid}."""
        return await self._caller.call(DELETE_DROPLET, guid, deadline=deadline)
