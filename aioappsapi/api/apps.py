"""Apps. Source: https://v3-apidocs.cloudfoundry.org/#apps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import field

from aioappsapi._http.call import Caller, within
from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.message import Replay, Request
from aioappsapi._http.protocol import Operation
from aioappsapi.api.app_pager import INCLUDABLE, AppPager, Places
from aioappsapi.api.app_parts import AppParts
from aioappsapi.api.audit_events import AuditEvents
from aioappsapi.api.checks import (
    Times,
    check_annotations,
    check_labels,
    check_name,
    check_variables,
    check_words,
    timestamps,
)
from aioappsapi.api.create_once import create_once
from aioappsapi.api.endpoint import endpoint
from aioappsapi.api.jobs import job_of
from aioappsapi.api.processes import Processes
from aioappsapi.api.queries import joined, list_queries
from aioappsapi.errors import NotFoundError
from aioappsapi.models.app import App, Lifecycle
from aioappsapi.models.job import Job
from aioappsapi.models.page import Included, Page
from aioappsapi.waiting.act_and_wait import act_and_wait
from aioappsapi.waiting.assess import Wait
from aioappsapi.waiting.readers import Readers, for_polls


class _AppWithIncluded(App, frozen=True, kw_only=True, gc=False):
    included: Included = field(default_factory=Included)


LIST: Final = endpoint("list apps", "GET", "/v3/apps", Page[App], "list-apps")
# Not sent again after it may have arrived: this same app would then have taken the name.
CREATE: Final = endpoint("create app", "POST", "/v3/apps", App, "create-an-app")
GET: Final = endpoint("get app", "GET", "/v3/apps/{}", App, "get-an-app")
GET_INCLUDING: Final = endpoint("get app", "GET", "/v3/apps/{}", _AppWithIncluded, "get-an-app")
UPDATE: Final = endpoint("update app", "PATCH", "/v3/apps/{}", App, "update-an-app")
DELETE: Final = endpoint("delete app", "DELETE", "/v3/apps/{}", Job, "delete-an-app", read=job_of)


def in_state(state: str) -> Callable[[Request, App], str | None]:
    """Return the check that an answer shows the requested app in the requested state."""

    def check(request: Request, app: App) -> str | None:
        """Return why the answer does not fit the request; None if it fits."""
        if app.guid != request.subject:
            return f"it names another app, {app.guid}"
        return None if app.state == state else f"it shows the state {app.state}"

    return check


START: Final = endpoint(
    "start app",
    "POST",
    "/v3/apps/{}/actions/start",
    App,
    "start-an-app",
    replay=Replay.IDEMPOTENT,
    check=in_state("STARTED"),
    repeat_proves_nothing=True,
)
STOP: Final = endpoint(
    "stop app",
    "POST",
    "/v3/apps/{}/actions/stop",
    App,
    "stop-an-app",
    replay=Replay.IDEMPOTENT,
    check=in_state("STOPPED"),
    repeat_proves_nothing=True,
)
# A second request would stop the new instances again.
RESTART: Final = endpoint(
    "restart app",
    "POST",
    "/v3/apps/{}/actions/restart",
    App,
    "restart-an-app",
    check=in_state("STARTED"),
)

_ORDERS: Final = tuple(
    sign + name for name in ("created_at", "updated_at", "name", "state") for sign in ("", "-")
)
_LIFECYCLES: Final = ("buildpack", "docker", "cnb")


class Apps(AppParts):
    """The endpoints of apps."""

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        space_guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        stacks: Sequence[str] | None = None,
        lifecycle_type: str | None = None,
        label_selector: str | None = None,
        created_ats: Times | None = None,
        updated_ats: Times | None = None,
        order_by: str | None = None,
        include: Sequence[str] | None = None,
        per_page: int | None = None,
        page: int | None = None,
        validate: bool = True,
    ) -> AppPager:
        """List the apps that this login may see and that match all filters.

        Lists of GUIDs and names may be of any length; ``stacks=[""]`` selects apps without a
        stack. Times are aware datetimes: one, several, or bounds like ``{"gte": since}``.
        `order_by` is ``created_at``, ``updated_at``, ``name`` or ``state``, with ``-`` for
        descending. `include` adds related resources: ``space`` fills `app.space`,
        ``space.organization`` and ``org`` fill `app.organization` as well. `page` is the first
        page to read, `per_page` at most 5000. Raises InvalidInputError for values that the server
        would surely refuse, unless `validate` is false; the pager raises the requests' errors.
        Source: GET /v3/apps.
        """
        if validate:
            _check_list(include, order_by, lifecycle_type)
        queries = list_queries(
            {
                "guids": guids,
                "names": names,
                "space_guids": space_guids,
                "organization_guids": organization_guids,
            },
            lists={"stacks": stacks},
            lifecycle_type=lifecycle_type,
            label_selector=label_selector,
            order_by=order_by,
            page=None if page is None else str(page),
            include=joined("include", include),
            per_page=per_page,
            validate=validate,
            **timestamps("created_ats", created_ats),
            **timestamps("updated_ats", updated_ats),
        )
        return AppPager(self._caller, LIST, queries)

    async def create(
        self,
        name: str,
        space_guid: str,
        *,
        lifecycle: Lifecycle | None = None,
        environment_variables: Mapping[str, object] | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> App:
        """Create an app in a space; it is stopped and has no droplet.

        `lifecycle` is how it is built: ``Lifecycle(type="docker")``, or ``buildpack`` or ``cnb``
        with a `LifecycleData`, whose credentials go to the server and never come back.

        If the answer is lost, the app is looked up by name and space. An app that was created
        since the call began counts as created by this call; otherwise the request is sent again. If
        another user creates an app of that name at the same moment, the call returns that app: its
        labels and lifecycle may differ from those given here.

        Raises InvalidInputError for values that the server would surely refuse, unless `validate`
        is false; UnprocessableError, titled ``CF-UniquenessError`` if the name is taken;
        ForbiddenError; the last error of the request if the look-up fails as well.
        Source: POST /v3/apps.
        """
        if validate:
            check_name(name)
            check_variables(environment_variables or {}, strings_only=False)
            _check_common(lifecycle, labels, annotations)
        body = {
            "name": name,
            "relationships": {"space": {"data": {"guid": space_guid}}},
            **_common(lifecycle, labels, annotations),
        }
        if environment_variables is not None:
            body["environment_variables"] = dict(environment_variables)

        def send() -> Awaitable[App]:
            return self._caller.call(CREATE, body=body)

        def find() -> Awaitable[App | None]:
            return self.list(names=[name], space_guids=[space_guid]).first()

        creating = create_once(send, find, self._caller.retry.attempts)
        return await (creating if deadline is None else within(deadline, creating, CREATE.name))

    async def get(
        self,
        guid: str,
        *,
        include: Sequence[str] | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> App:
        """Fetch an app; `include` adds its space and organization, as in `list`.

        Raises InvalidInputError for an unknown `include`, unless `validate` is false;
        NotFoundError. Source: GET /v3/apps/{guid}.
        """
        value = joined("include", include)
        if value is None:
            return await self._caller.call(GET, guid, deadline=deadline)
        if validate:
            check_words("include", include or (), INCLUDABLE)
        query = {"include": value}
        app = await self._caller.call(GET_INCLUDING, guid, query=query, deadline=deadline)
        Places(app.included).join([app])
        return app

    async def update(
        self,
        guid: str,
        *,
        name: str | None = None,
        lifecycle: Lifecycle | None = None,
        labels: Mapping[str, str | None] | None = None,
        annotations: Mapping[str, str | None] | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> App:
        """Change the given fields of an app; None deletes a label or an annotation.

        Raises InvalidInputError for values that the server would surely refuse, unless `validate`
        is false; NotFoundError; UnprocessableError if the name is taken.
        Source: PATCH /v3/apps/{guid}.
        """
        if validate:
            if name is not None:
                check_name(name)
            _check_common(lifecycle, labels, annotations)
        body = _common(lifecycle, labels, annotations)
        if name is not None:
            body["name"] = name
        return await self._caller.call(UPDATE, guid, body=body, deadline=deadline)

    async def delete(self, guid: str, *, deadline: float | None = None) -> Job:
        """Delete an app with its bindings and tasks, and return the job that does it.

        The app is gone when the job is complete: ``await client.jobs.wait(job)``.
        Raises NotFoundError, ForbiddenError. Source: DELETE /v3/apps/{guid}.
        """
        with recorded(CallLog) as record:
            try:
                return await self._caller.call(DELETE, guid, deadline=deadline)
            except NotFoundError:
                if not record.ambiguous:
                    raise
                # An attempt whose answer was lost deleted the app; its job is unknown.
                return Job(guid="", operation="app.delete", state="COMPLETE")

    async def start(self, guid: str, *, wait: Wait = "none", deadline: float | None = None) -> App:
        """Start an app; with `wait`, return when it runs.

        A started app does not change, so the request is safe to repeat. Without `wait` the server
        has only accepted the start, and its instances are unknown. `wait` is ``any`` for one
        instance of each process, ``all`` for all of them, or ``routable`` for all of them with
        requests. `deadline` is in seconds for everything together; without one the wait takes at
        most `CF_STARTUP_TIMEOUT`. Raises NotFoundError, ForbiddenError, UnprocessableError (no
        droplet, a quota), ServerError if the server cannot reach its runner (the app may still
        start); with `wait` also CrashedError, PlacementError, NotRunningError (another user
        stopped it), UnverifiedError, DeadlineError. Source: POST /v3/apps/{guid}/actions/start.
        """
        return await self._act(START, guid, wait, deadline)

    async def stop(self, guid: str, *, wait: Wait = "none", deadline: float | None = None) -> App:
        """Stop an app; with any `wait` but ``none``, return when no instance is left.

        A stopped app does not change, so the request is safe to repeat. Raises NotFoundError,
        ForbiddenError, ServerError; with `wait` also NotRunningError (another user started it),
        UnverifiedError, DeadlineError. Source: POST /v3/apps/{guid}/actions/stop.
        """
        return await self._act(STOP, guid, wait, deadline, until_stopped=True)

    async def restart(
        self, guid: str, *, wait: Wait = "none", deadline: float | None = None
    ) -> App:
        """Stop and start an app, with downtime; a stopped app is started.

        Every restart stops the instances again, so the request is repeated only if it surely
        did not reach the server. `wait` is as for `start`, and only new instances
        count. Raises NotFoundError, ForbiddenError, UnprocessableError (no droplet, a quota);
        DisconnectedError, ReadTimeout or ServerError if the app may have been restarted;
        with `wait` what `start` raises. Source: POST /v3/apps/{guid}/actions/restart.
        """
        return await self._act(RESTART, guid, wait, deadline)

    def _act(
        self,
        operation: Operation[App],
        guid: str,
        wait: Wait,
        deadline: float | None,
        *,
        until_stopped: bool = False,
    ) -> Awaitable[App]:
        # fast path: without a wait there is nothing to set up. Not a coroutine function, which
        # would cost a frame.
        if wait == "none":
            return self._caller.call(operation, guid, deadline=deadline)
        return act_and_wait(
            self._caller,
            readers_of(self._caller),
            operation,
            guid,
            wait=wait,
            deadline=deadline,
            until_stopped=until_stopped,
        )


def readers_of(caller: Caller) -> Readers:
    """Return the readers for a `Waiter`; each poll is sent once, see `for_polls`."""
    polls = for_polls(caller)
    return Readers(
        caller=polls, apps=Apps(polls), processes=Processes(polls), events=AuditEvents(polls)
    )


def _check_list(
    include: Sequence[str] | None, order_by: str | None, lifecycle_type: str | None
) -> None:
    check_words("include", include or (), INCLUDABLE)
    check_words("order_by", () if order_by is None else (order_by,), _ORDERS)
    check_words("lifecycle_type", () if lifecycle_type is None else (lifecycle_type,), _LIFECYCLES)


def _check_common(
    lifecycle: Lifecycle | None,
    labels: Mapping[str, str | None] | None,
    annotations: Mapping[str, str | None] | None,
) -> None:
    if lifecycle is not None:
        check_words("lifecycle type", (lifecycle.type,), _LIFECYCLES)
    check_labels(labels or {})
    check_annotations(annotations or {})


def _common(
    lifecycle: Lifecycle | None,
    labels: Mapping[str, str | None] | None,
    annotations: Mapping[str, str | None] | None,
) -> dict[str, object]:
    """Return the part of the body that create and update share."""
    body: dict[str, object] = {}
    if lifecycle is not None:
        # A null is a field too many as well: docker takes no field at all.
        data = msgspec.structs.asdict(lifecycle.data)
        given = {name: value for name, value in data.items() if value is not None}
        body["lifecycle"] = {"type": lifecycle.type, "data": given}
    metadata = {"labels": labels, "annotations": annotations}
    if given := {name: dict(values) for name, values in metadata.items() if values is not None}:
        body["metadata"] = given
    return body
