"""Processes and their instances. Source: https://v3-apidocs.cloudfoundry.org/#processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import NoneType
from typing import Final

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.message import Replay, Request
from aioappsapi._http.protocol import Operation
from aioappsapi._http.retry.policy import Meaning, classify
from aioappsapi.errors import (
    AppsApiError,
    BadRequestError,
    DecodeError,
    InvalidInputError,
    NotFoundError,
)
from aioappsapi.models.page import Page
from aioappsapi.models.process import InstanceStats, Process, ProcessInstance, ProcessStats
from aioappsapi.resources.checks import refuse_unless
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.paging import Pager, comma_list, page_size, split_queries
from aioappsapi.resources.pooled import pooled

# How many processes are asked for their instances together, where these cannot be embedded.
_STATS_AT_ONCE: Final = 8
# After so many of them that failed, the rest of a page is not asked for.
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
# A scale sets numbers, it adds none: a second one changes nothing more.
SCALE: Final = endpoint(
    "scale process",
    "POST",
    "/v3/processes/{}/actions/scale",
    Process,
    "scale-a-process",
    replay=Replay.IDEMPOTENT,
)
# A second one would end the instance that took the place of the first.
TERMINATE: Final = endpoint(
    "terminate instance of process",
    "DELETE",
    "/v3/processes/{}/instances/{}",
    NoneType,
    "terminate-a-process-instance",
    replay=Replay.ONCE,
)

_EMBED: Final = {"embed": "process_instances"}


class Processes:
    """The operations on processes."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

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
        with_instances: bool = False,
        per_page: int | None = None,
    ) -> Pager[Process]:
        """List processes; `with_instances` embeds the state of each instance.

        From a server that cannot embed them, the instances are asked for process by process, with
        one more request each. Where that fails for the moment, a process keeps its
        `process_instances` unset. Source: GET /v3/processes.
        """
        plain = {"label_selector": label_selector, "order_by": order_by}
        query = {
            **{name: value for name, value in plain.items() if value is not None},
            **comma_list("types", types),
            **(_EMBED if with_instances else {}),
            **page_size(per_page),
        }
        long = {
            "guids": guids,
            "app_guids": app_guids,
            "space_guids": space_guids,
            "organization_guids": organization_guids,
        }
        kind = _EmbeddingPager if with_instances else Pager[Process]
        return kind(self._caller, LIST, split_queries(query, long))

    def list_for_app(self, app_guid: str, *, per_page: int | None = None) -> Pager[Process]:
        """List the processes of an app. Source: GET /v3/apps/{guid}/processes."""
        operation = _bound(LIST_FOR_APP, app_guid)
        return Pager(self._caller, operation, [page_size(per_page)])

    async def get(self, guid: str, *, deadline: float | None = None) -> Process:
        """Fetch a process. Raises NotFoundError. Source: GET /v3/processes/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def get_for_app(
        self, app_guid: str, process_type: str = "web", *, deadline: float | None = None
    ) -> Process:
        """Fetch an app's process of a type. Source: GET /v3/apps/{guid}/processes/{type}."""
        return await self._caller.call(GET_OF_APP, app_guid, process_type, deadline=deadline)

    async def get_stats(
        self, guid: str, *, deadline: float | None = None
    ) -> Sequence[InstanceStats]:
        """Fetch the instances of a process in full, none where none are asked for.

        Raises ServerError 503 ``CF-StatsUnavailable`` where nobody knows them at the moment.
        Source: GET /v3/processes/{guid}/stats.
        """
        return (await self._caller.call(STATS, guid, deadline=deadline)).resources

    async def get_stats_for_app(
        self, app_guid: str, process_type: str = "web", *, deadline: float | None = None
    ) -> Sequence[InstanceStats]:
        """Fetch the instances of an app's process of a type in full.

        Source: GET /v3/apps/{guid}/processes/{type}/stats.
        """
        stats = await self._caller.call(STATS_OF_APP, app_guid, process_type, deadline=deadline)
        return stats.resources

    async def scale(
        self,
        guid: str,
        *,
        instances: int | None = None,
        memory_in_mb: int | None = None,
        disk_in_mb: int | None = None,
        log_rate_limit_in_bytes_per_second: int | None = None,
        deadline: float | None = None,
    ) -> Process:
        """Set how many instances a process has, and how large each is; None leaves a number.

        Raises UnprocessableError for a quota or while a deployment goes on.
        Source: POST /v3/processes/{guid}/actions/scale.
        """
        numbers = {
            "instances": instances,
            "memory_in_mb": memory_in_mb,
            "disk_in_mb": disk_in_mb,
            "log_rate_limit_in_bytes_per_second": log_rate_limit_in_bytes_per_second,
        }
        body = {name: number for name, number in numbers.items() if number is not None}
        refuse_unless(instances is None or instances >= 0, f"instances={instances}: 0 or more.")
        return await self._caller.call(SCALE, guid, body=body, deadline=deadline)

    async def terminate_instance(
        self, guid: str, index: int, *, deadline: float | None = None
    ) -> None:
        """End one instance; the platform starts another in its place.

        Source: DELETE /v3/processes/{guid}/instances/{index}.
        """
        if index < 0:
            raise InvalidInputError(f"index={index}: 0 or more.")
        await self._caller.call(TERMINATE, guid, str(index), deadline=deadline)


def _bound(operation: Operation[Page[Process]], guid: str) -> Operation[Page[Process]]:
    """Make the operation of one app's list, whose path has no gap any more."""
    path = operation.build(guid).path
    return Operation(
        operation.name,
        operation.method,
        path,
        Page[Process],
        replay=operation.replay,
        source=operation.source,
    )


class _EmbeddingPager(Pager[Process]):
    """Processes with their instances, whether the server can embed them or not."""

    async def _fetch_now(self, request: Request) -> Page[Process]:
        features = self._caller.features
        if features.has("embed"):
            try:
                page = await super()._fetch_now(request)
            except BadRequestError as refusal:
                if not features.learn_from_refusal("embed", refusal):
                    raise
            else:
                if _is_embedded(page):
                    return page
                features.remember_missing("embed")  # ignored without a word
        plain = request.path.replace("&embed=process_instances", "")
        plain = plain.replace("?embed=process_instances&", "?").partition("?embed=")[0]
        page = await super()._fetch_now(msgspec.structs.replace(request, path=plain))
        return msgspec.structs.replace(page, resources=await self._complete(page.resources))

    async def _complete(self, processes: Sequence[Process]) -> list[Process]:
        completed = {process.guid: process for process in processes}
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

        await pooled(complete, processes, at_once=_STATS_AT_ONCE)
        return list(completed.values())

    async def _instances_of(self, process: Process) -> list[ProcessInstance] | None:
        """Ask for the instances of a process; None if nobody can tell at the moment."""
        if not process.instances:
            return []
        try:
            stats = (await self._caller.call(STATS, process.guid)).resources
        except NotFoundError:
            return []  # it went away between the two requests
        except AppsApiError as failure:
            if classify(failure)[0] is Meaning.PERMANENT and not isinstance(failure, DecodeError):
                raise
            log.info("the instances of %s are not known: %s", process.guid, failure)
            return None
        return [ProcessInstance(index=i.index, state=i.state, since=i.uptime) for i in stats]


def _is_embedded(page: Page[Process]) -> bool:
    return all(process.process_instances is not msgspec.UNSET for process in page.resources)
