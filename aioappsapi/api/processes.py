"""Processes and their instances. Source: https://v3-apidocs.cloudfoundry.org/#processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import NoneType
from typing import Final, overload

import msgspec

from aioappsapi._http.message import Replay
from aioappsapi._http.pooled import pooled
from aioappsapi._http.retry.policy import Meaning, classify
from aioappsapi.api.checks import check_words
from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import FallbackPager, Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.errors import AppsApiError, DecodeError, NotFoundError, refuse_unless
from aioappsapi.models.page import Page
from aioappsapi.models.process import InstanceStats, Process, ProcessInstance, ProcessStats

# The number of processes that are read at once if their instances cannot be embedded.
_STATS_AT_ONCE: Final = 8
# After this many failures the rest of a page is left out.
_FAILURES: Final = 8

log = logging.getLogger("aioappsapi")

LIST: Final = endpoint("list processes", "GET", "/v3/processes", Page[Process], "list-processes")
LIST_FOR_APP: Final = endpoint(
    "list processes of app",
    "GET",
    "/v3/apps/{}/processes",
    Page[Process],
    "list-processes-for-app",
)
GET: Final = endpoint("get process", "GET", "/v3/processes/{}", Process, "get-a-process")
GET_OF_APP: Final = endpoint(
    "get process of app", "GET", "/v3/apps/{}/processes/{}", Process, "get-a-process"
)
STATS: Final = endpoint(
    "get stats of process",
    "GET",
    "/v3/processes/{}/stats",
    ProcessStats,
    "get-stats-for-a-process",
)
STATS_OF_APP: Final = endpoint(
    "get stats of app",
    "GET",
    "/v3/apps/{}/processes/{}/stats",
    ProcessStats,
    "get-stats-for-a-process",
)
# A scale sets numbers and adds none, so a second request changes nothing more.
SCALE: Final = endpoint(
    "scale process",
    "POST",
    "/v3/processes/{}/actions/scale",
    Process,
    "scale-a-process",
    replay=Replay.IDEMPOTENT,
)
SCALE_OF_APP: Final = endpoint(
    "scale process of app",
    "POST",
    "/v3/apps/{}/processes/{}/actions/scale",
    Process,
    "scale-a-process",
    replay=Replay.IDEMPOTENT,
)
# A second request would end the instance that replaced the first.
TERMINATE: Final = endpoint(
    "terminate instance of process",
    "DELETE",
    "/v3/processes/{}/instances/{}",
    NoneType,
    "terminate-a-process-instance",
    replay=Replay.ONCE,
)

_INCLUDABLE: Final = ("instances",)


class Processes(Endpoints):
    """The endpoints of processes."""

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        app_guids: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        space_guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        label_selector: str | None = None,
        order_by: str | None = None,
        include: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Process]:
        """List processes; with ``include=["instances"]`` each has its `process_instances`.

        Lists of GUIDs may be of any length. If the server cannot embed instances, they take one
        more request per process; a process whose request fails keeps its `process_instances`
        unset. Raises InvalidInputError for an unknown `include` or a `per_page` out of bounds,
        unless `validate` is false. Source: GET /v3/processes.
        """
        check_words("include", include or (), _INCLUDABLE)
        queries = list_queries(
            {
                "guids": guids,
                "app_guids": app_guids,
                "space_guids": space_guids,
                "organization_guids": organization_guids,
            },
            lists={"types": types},
            label_selector=label_selector,
            order_by=order_by,
            embed="process_instances" if include else None,
            per_page=per_page,
            validate=validate,
        )
        return _ProcessPager(self._caller, LIST, queries)

    def list_for_app(
        self, app_guid: str, *, per_page: int | None = None, validate: bool = True
    ) -> Pager[Process]:
        """List the processes of one app, the oldest first; that need not be ``web``.

        During a deployment there are two of the type ``web``. Raises InvalidInputError for a
        `per_page` out of bounds, unless `validate` is false; the pager raises NotFoundError.
        Source: GET /v3/apps/{guid}/processes.
        """
        queries = list_queries(per_page=per_page, validate=validate)
        return Pager(self._caller, LIST_FOR_APP, queries, path=[app_guid])

    async def get(self, guid: str, *, deadline: float | None = None) -> Process:
        """Fetch a process. Raises NotFoundError. Source: GET /v3/processes/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def get_for_app(
        self, app_guid: str, process_type: str = "web", *, deadline: float | None = None
    ) -> Process:
        """Fetch an app's process of a type; during a deployment it is the newest of them.

        Raises NotFoundError. Source: GET /v3/apps/{guid}/processes/{type}.
        """
        return await self._caller.call(GET_OF_APP, app_guid, process_type, deadline=deadline)

    @overload
    async def get_stats(
        self, guid: str, *, deadline: float | None = None
    ) -> Sequence[InstanceStats]: ...

    @overload
    async def get_stats(
        self, *, app_guid: str, type: str = "web", deadline: float | None = None
    ) -> Sequence[InstanceStats]: ...

    async def get_stats(
        self,
        guid: str | None = None,
        *,
        app_guid: str | None = None,
        type: str = "web",  # noqa: A002 - the field's name for it
        deadline: float | None = None,
    ) -> Sequence[InstanceStats]:
        """Fetch the instances of a process in full: their states, ports and usage.

        Pass the GUID of a process, or `app_guid` for the app's newest process of a `type`. A
        process with 0 requested instances has none. Raises NotFoundError, ServerError titled
        ``CF-StatsUnavailable`` while the server cannot read them, and TypeError unless one GUID is
        given. Source: GET /v3/processes/{guid}/stats, GET /v3/apps/{guid}/processes/{type}/stats.
        """
        if guid is not None and app_guid is None:
            call = self._caller.call(STATS, guid, deadline=deadline)
        elif app_guid is not None and guid is None:
            call = self._caller.call(STATS_OF_APP, app_guid, type, deadline=deadline)
        else:
            raise TypeError("get_stats takes the GUID of a process or an app_guid.")
        return (await call).resources

    async def scale(
        self,
        guid: str,
        *,
        instances: int | None = None,
        memory_in_mb: int | None = None,
        disk_in_mb: int | None = None,
        log_rate_limit_in_bytes_per_second: int | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> Process:
        """Set the number of instances of a process and their size; None changes nothing.

        The number changes at once, the size at the next start. Raises
        InvalidInputError for a negative number of instances, unless `validate` is false;
        NotFoundError; UnprocessableError for a quota, or for ``web`` during a deployment.
        Source: POST /v3/processes/{guid}/actions/scale.
        """
        if validate:
            _check_instances(instances)
        body = _numbers(
            instances=instances,
            memory_in_mb=memory_in_mb,
            disk_in_mb=disk_in_mb,
            log_rate_limit_in_bytes_per_second=log_rate_limit_in_bytes_per_second,
        )
        return await self._caller.call(SCALE, guid, body=body, deadline=deadline)

    async def scale_for_app(
        self,
        app_guid: str,
        process_type: str = "web",
        *,
        instances: int | None = None,
        memory_in_mb: int | None = None,
        disk_in_mb: int | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> Process:
        """Scale an app's process of a type. Deployments change its GUID, but not its type.

        Raises InvalidInputError for a negative number of instances, unless `validate` is false;
        NotFoundError; UnprocessableError as `scale` does.
        Source: POST /v3/apps/{guid}/processes/{type}/actions/scale.
        """
        if validate:
            _check_instances(instances)
        body = _numbers(instances=instances, memory_in_mb=memory_in_mb, disk_in_mb=disk_in_mb)
        return await self._caller.call(
            SCALE_OF_APP, app_guid, process_type, body=body, deadline=deadline
        )

    async def terminate_instance(
        self, guid: str, index: int, *, deadline: float | None = None
    ) -> None:
        """End one instance; the platform starts another in its place.

        Raises InvalidInputError for a negative index, NotFoundError, ForbiddenError.
        Source: DELETE /v3/processes/{guid}/instances/{index}.
        """
        refuse_unless(index >= 0, f"index={index}: 0 or more.")
        await self._caller.call(TERMINATE, guid, str(index), deadline=deadline)


def _check_instances(instances: int | None) -> None:
    refuse_unless(instances is None or instances >= 0, f"instances={instances}: 0 or more.")


def _numbers(**given: int | None) -> dict[str, int]:
    return {name: number for name, number in given.items() if number is not None}


class _ProcessPager(FallbackPager[Process]):
    """Processes with their instances, even if the server cannot embed them."""

    parameter = "embed"

    def _is_complete(self, page: Page[Process]) -> bool:
        return all(process.process_instances is not msgspec.UNSET for process in page.resources)

    async def _complete(self, page: Page[Process]) -> Page[Process]:
        completed = {process.guid: process for process in page.resources}
        failures = 0

        async def complete(process: Process) -> None:
            nonlocal failures
            if failures >= _FAILURES:
                return
            instances = await self._instances_of(process)
            if instances is None:
                failures += 1
            else:
                completed[process.guid] = msgspec.structs.replace(
                    process, process_instances=instances
                )

        await pooled(complete, page.resources, at_once=_STATS_AT_ONCE)
        return msgspec.structs.replace(page, resources=list(completed.values()))

    async def _instances_of(self, process: Process) -> list[ProcessInstance] | None:
        """Fetch the instances of a process; None if the server cannot read them now."""
        if process.instances == 0:
            return []
        try:
            stats = (await self._caller.call(STATS, process.guid)).resources
        except NotFoundError:
            return []  # it was deleted between the two requests
        except AppsApiError as failure:
            if classify(failure)[0] is Meaning.PERMANENT and not isinstance(failure, DecodeError):
                raise
            log.info("the instances of process %s cannot be read: %s", process.guid, failure)
            return None
        return [ProcessInstance(index=i.index, state=i.state, since=i.uptime) for i in stats]
