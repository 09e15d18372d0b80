"""Apps. Source: https://v3-apidocs.cloudfoundry.org/#apps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from aioappsapi._http.call import within
from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.message import Replay, Request
from aioappsapi._http.protocol import Operation
from aioappsapi.errors import NotFoundError
from aioappsapi.models.app import App, Lifecycle
from aioappsapi.models.job import Job
from aioappsapi.models.page import AppWithIncluded, Page
from aioappsapi.resources.acting import act
from aioappsapi.resources.app_parts import AppParts
from aioappsapi.resources.checks import (
    Times,
    check_annotations,
    check_labels,
    check_name,
    check_variables,
    check_words,
    timestamps,
)
from aioappsapi.resources.creating import create_once
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.including import AppPager, join
from aioappsapi.resources.instances import Wait
from aioappsapi.resources.jobs import job_of
from aioappsapi.resources.paging import comma_list, page_size, split_queries
from aioappsapi.resources.waiter import polling

LIST: Final = endpoint("list apps", "GET", "/v3/apps", Page[App], "list-apps")
# Not repeated blindly once it may have arrived: then the name is taken, by this very app.
CREATE: Final = endpoint("create app", "POST", "/v3/apps", App, "create-an-app")
GET: Final = endpoint("get app", "GET", "/v3/apps/{}", App, "get-an-app")
GET_INCLUDING: Final = endpoint("get app", "GET", "/v3/apps/{}", AppWithIncluded, "get-an-app")
UPDATE: Final = endpoint("update app", "PATCH", "/v3/apps/{}", App, "update-an-app")
DELETE: Final = endpoint("delete app", "DELETE", "/v3/apps/{}", Job, "delete-an-app", read=job_of)


def in_state(state: str) -> Callable[[Request, App], str | None]:
    """Make the check that an answer shows the app that was asked for, in the requested state."""

    def check(request: Request, app: App) -> str | None:
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
# A second one would bounce the app again.
RESTART: Final = endpoint(
    "restart app",
    "POST",
    "/v3/apps/{}/actions/restart",
    App,
    "restart-an-app",
    check=in_state("STARTED"),
)

_INCLUDABLE: Final = ("space", "org", "space.organization")
_ORDERS: Final = tuple(
    sign + name for name in ("created_at", "updated_at", "name", "state") for sign in ("", "-")
)
_LIFECYCLES: Final = ("buildpack", "docker", "cnb")


class Apps(AppParts):
    """The operations on apps."""

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
        """List the apps that this login may see, filtered by everything that is given.

        Lists of GUIDs and names may be of any length. Times are aware datetimes: one, several, or
        bounds like ``{"gte": since}``. `order_by` is ``created_at``, ``updated_at``, ``name`` or
        ``state``, with ``-`` for descending. `include` brings related resources along, ``space``
        or ``space.organization``: they are then at `app.space` and `app.organization`. `page` is
        where to begin, `per_page` at most 5000. Raises InvalidInputError for what the server would
        surely refuse, unless `validate` is false; the pager raises what the requests do.
        Source: GET /v3/apps.
        """
        if validate:
            _check_list(include, order_by, lifecycle_type)
        plain = {
            "lifecycle_type": lifecycle_type,
            "label_selector": label_selector,
            "order_by": order_by,
            "page": None if page is None else str(page),
            "per_page": None if per_page is None or validate else str(per_page),
        }
        query = {
            **{name: value for name, value in plain.items() if value is not None},
            **comma_list("stacks", stacks),
            **comma_list("include", include),
            **timestamps("created_ats", created_ats),
            **timestamps("updated_ats", updated_ats),
            **(page_size(per_page) if validate else {}),
        }
        long = {
            "guids": guids,
            "names": names,
            "space_guids": space_guids,
            "organization_guids": organization_guids,
        }
        return AppPager(self._caller, LIST, split_queries(query, long), include)

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
        """Make an app in a space; it is stopped and has no droplet.

        `lifecycle` says how it is built: ``Lifecycle(type="docker")``, or ``buildpack`` or ``cnb``
        with a `LifecycleData`, whose credentials go to the server and never come back.

        Where the answer is lost, the app is looked for by its name and space: one that was made
        since the call began is taken for this call's, and only if there is none it is asked for
        again. It cannot be told apart from an app that somebody else made under that name in the
        same moment, so what else was asked for (labels, lifecycle) may then not hold.

        Raises InvalidInputError for what the server would surely refuse, unless `validate` is
        false; UnprocessableError, titled ``CF-UniquenessError`` where the name is taken;
        ForbiddenError; what was met last, where not even looking helped. Source: POST /v3/apps.
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
        self, guid: str, *, include: Sequence[str] | None = None, deadline: float | None = None
    ) -> App:
        """Fetch an app, perhaps with its space and organization, as for `list`.

        Raises NotFoundError. Source: GET /v3/apps/{guid}.
        """
        if include is None:
            return await self._caller.call(GET, guid, deadline=deadline)
        check_words("include", include, _INCLUDABLE)
        query = comma_list("include", include)
        app = await self._caller.call(GET_INCLUDING, guid, query=query, deadline=deadline)
        join([app], app.included)
        if app.included.organizations:
            # With a single app, an organization that came without its space is the app's, too.
            only = app.included.organizations[0]
            msgspec.structs.force_setattr(app, "included_organization", only)
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
        """Change what is given, leave the rest; a label or annotation of None is deleted.

        Raises InvalidInputError for what the server would surely refuse, unless `validate` is
        false; UnprocessableError where the name is taken. Source: PATCH /v3/apps/{guid}.
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
        """Delete an app with its routes' destinations, bindings and tasks; give the job for it.

        It is gone when the job is complete: ``await client.jobs.wait(job)``. Raises NotFoundError,
        ForbiddenError. Source: DELETE /v3/apps/{guid}.
        """
        with recorded(CallLog) as record:
            try:
                return await self._caller.call(DELETE, guid, deadline=deadline)
            except NotFoundError:
                if not record.ambiguous:
                    raise
                # An attempt whose answer was lost has deleted it; its job is not known.
                return Job(guid="", operation="app.delete", state="COMPLETE")

    async def start(self, guid: str, *, wait: Wait = "none", deadline: float | None = None) -> App:
        """Ask for an app to be started, and perhaps wait until it runs.

        A started app stays as it is, so a lost answer is safe to repeat. `wait` says until when:
        ``none`` for the acceptance alone, which says nothing of instances, ``any`` for one instance
        of each process, ``all``, or ``routable``: all, and requests reach them. `deadline` is in
        seconds for everything together; without one the waiting takes at most `CF_STARTUP_TIMEOUT`.
        Raises NotFoundError, ForbiddenError, UnprocessableError (no droplet, a quota), ServerError
        if the runner stays away, which leaves it open whether the app will run; and from waiting
        CrashedError, PlacementError, NotRunningError (somebody else stopped it), DeadlineError.
        Source: POST /v3/apps/{guid}/actions/start.
        """
        return await self._act(START, guid, wait, deadline)

    async def stop(self, guid: str, *, wait: Wait = "none", deadline: float | None = None) -> App:
        """Ask for an app to be stopped, and perhaps wait until no instance is left.

        A stopped app stays as it is, so a lost answer is safe to repeat. Any `wait` but ``none``
        waits for the end of all instances. Raises NotFoundError, ForbiddenError, ServerError, and
        from waiting NotRunningError (somebody else started it), DeadlineError.
        Source: POST /v3/apps/{guid}/actions/stop.
        """
        return await self._act(STOP, guid, wait, deadline, down=True)

    async def restart(
        self, guid: str, *, wait: Wait = "none", deadline: float | None = None
    ) -> App:
        """Ask for an app to be stopped and started, with downtime; a stopped one is started.

        Every restart bounces the app again, so it is repeated only after failures that surely did
        not reach the server. `wait` is as for `start`. Raises NotFoundError, ForbiddenError,
        UnprocessableError (no droplet, a quota), for a lost answer DisconnectedError, ReadTimeout
        or ServerError, and from waiting what `start` does.
        Source: POST /v3/apps/{guid}/actions/restart.
        """
        return await self._act(RESTART, guid, wait, deadline)

    async def _act(
        self,
        operation: Operation[App],
        guid: str,
        wait: Wait,
        deadline: float | None,
        *,
        down: bool = False,
    ) -> App:
        # fast path: whoever waits for nothing pays nothing for it.
        if wait == "none":
            return await self._caller.call(operation, guid, deadline=deadline)
        reader = Apps(polling(self._caller))
        return await act(
            self._caller, reader, operation, guid, wait=wait, deadline=deadline, down=down
        )


def _check_list(
    include: Sequence[str] | None, order_by: str | None, lifecycle_type: str | None
) -> None:
    check_words("include", include or (), _INCLUDABLE)
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
    """Make the part of the body that create and update share, without what is not given."""
    body: dict[str, object] = {}
    if lifecycle is not None:
        # Even a null is a field too many: docker takes none at all.
        data = msgspec.structs.asdict(lifecycle.data)
        given = {name: value for name, value in data.items() if value is not None}
        body["lifecycle"] = {"type": lifecycle.type, "data": given}
    metadata = {"labels": labels, "annotations": annotations}
    if given := {name: dict(values) for name, values in metadata.items() if values is not None}:
        body["metadata"] = given
    return body
