"""Droplets, which apps run. Source: https://v3-apidocs.cloudfoundry.org/#droplets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.jobs import job_of
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.droplet import Droplet
from aioappsapi.models.job import Job
from aioappsapi.models.page import Page

LIST: Final = endpoint("list droplets", "GET", "/v3/droplets", Page[Droplet], "list-droplets")
GET: Final = endpoint("get droplet", "GET", "/v3/droplets/{}", Droplet, "get-a-droplet")
COPY: Final = endpoint("copy droplet", "POST", "/v3/droplets", Droplet, "copy-a-droplet")
DELETE: Final = endpoint(
    "delete droplet", "DELETE", "/v3/droplets/{}", Job, "delete-a-droplet", read=job_of
)


class Droplets(Endpoints):
    """The endpoints of droplets."""

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        app_guids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Droplet]:
        """List droplets; their commands are redacted here.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/droplets.
        """
        queries = list_queries(
            {"guids": guids, "app_guids": app_guids},
            lists={"states": states},
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Droplet:
        """Fetch a droplet. Raises NotFoundError. Source: GET /v3/droplets/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def copy(
        self, source_guid: str, app_guid: str, *, deadline: float | None = None
    ) -> Droplet:
        """Copy a droplet for another app; it is not ready until its state is ``STAGED``.

        Raises UnprocessableError. Source: POST /v3/droplets?source_guid={guid}.
        """
        query = {"source_guid": source_guid}
        body = {"relationships": {"app": {"data": {"guid": app_guid}}}}
        return await self._caller.call(COPY, query=query, body=body, deadline=deadline)

    async def delete(self, guid: str, *, deadline: float | None = None) -> Job:
        """Delete a droplet, and return the job that does it.

        Raises NotFoundError. Source: DELETE /v3/droplets/{guid}.
        """
        return await self._caller.call(DELETE, guid, deadline=deadline)
