"""Apps. Source: https://v3-apidocs.cloudfoundry.org/#apps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from aioappsapi._http.caller import Caller
from aioappsapi._http.protocol import Operation, Replay
from aioappsapi.models.app import App
from aioappsapi.models.page import Page
from aioappsapi.resources.paging import Pager, comma_list, page_size, split_queries

_DOCS: Final = "https://v3-apidocs.cloudfoundry.org/#"

LIST: Final = Operation(
    "list apps", "GET", "/v3/apps", Page[App], replay=Replay.SAFE, source=_DOCS + "list-apps"
)
GET: Final = Operation(
    "get app", "GET", "/v3/apps/{}", App, replay=Replay.SAFE, source=_DOCS + "get-an-app"
)
START: Final = Operation(
    "start app",
    "POST",
    "/v3/apps/{}/actions/start",
    App,
    replay=Replay.IDEMPOTENT,
    source=_DOCS + "start-an-app",
)
STOP: Final = Operation(
    "stop app",
    "POST",
    "/v3/apps/{}/actions/stop",
    App,
    replay=Replay.IDEMPOTENT,
    source=_DOCS + "stop-an-app",
)
RESTART: Final = Operation(
    "restart app",
    "POST",
    "/v3/apps/{}/actions/restart",
    App,
    replay=Replay.ONCE,
    source=_DOCS + "restart-an-app",
)


class Apps:
    """The operations on apps."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

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
        order_by: str | None = None,
        include: Sequence[str] | None = None,
        per_page: int | None = None,
    ) -> Pager[App]:
        """List the apps that this login may see, filtered by everything that is given.

        `include` names related resources to bring along, ``space`` or ``space.organization``:
        they are then at `app.space` and `app.organization`. Lists of GUIDs and names may be of any
        length. The pager raises what the request does: BadRequestError for a filter that the
        server does not know. Source: GET /v3/apps.
        """
        plain = {
            "lifecycle_type": lifecycle_type,
            "label_selector": label_selector,
            "order_by": order_by,
        }
        query = {
            **{name: value for name, value in plain.items() if value is not None},
            **comma_list("stacks", stacks),
            **comma_list("include", include),
            **page_size(per_page),
        }
        long = {
            "guids": guids,
            "names": names,
            "space_guids": space_guids,
            "organization_guids": organization_guids,
        }
        return Pager(self._caller, LIST, split_queries(query, long), join_included)

    async def get(self, guid: str, *, deadline: float | None = None) -> App:
        """Fetch an app. Raises NotFoundError. Source: GET /v3/apps/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def start(self, guid: str, *, deadline: float | None = None) -> App:
        """Ask for an app to be started.

        A started app stays as it is, so a lost answer is safe to repeat; running instances come
        later, and this does not wait for them. `deadline` is in seconds, for all tries together.
        Raises NotFoundError, ForbiddenError, UnprocessableError (no droplet, a quota), ServerError
        if the runner stays away, which leaves it open whether the app will run.
        Source: POST /v3/apps/{guid}/actions/start.
        """
        return await self._caller.call(START, guid, deadline=deadline)

    async def stop(self, guid: str, *, deadline: float | None = None) -> App:
        """Ask for an app to be stopped.

        A stopped app stays as it is, so a lost answer is safe to repeat; its instances go a little
        later. Raises NotFoundError, ForbiddenError, ServerError.
        Source: POST /v3/apps/{guid}/actions/stop.
        """
        return await self._caller.call(STOP, guid, deadline=deadline)

    async def restart(self, guid: str, *, deadline: float | None = None) -> App:
        """Ask for an app to be stopped and started, with downtime; a stopped one is started.

        Every restart bounces the app again, so it is repeated only after failures that surely did
        not reach the server. Raises NotFoundError, ForbiddenError, UnprocessableError (no
        droplet, a quota), and for a lost answer DisconnectedError, ReadTimeout or ServerError.
        Source: POST /v3/apps/{guid}/actions/restart.
        """
        return await self._caller.call(RESTART, guid, deadline=deadline)


def join_included(page: Page[App]) -> None:
    """Give each app of a page the space and the organization that the page includes.

    One dictionary per kind: O(apps + included), not a search per app. The structs are frozen for
    users; this runs before anybody has seen them.
    """
    if not page.included.spaces and not page.included.organizations:
        return
    spaces = {space.guid: space for space in page.included.spaces}
    organizations = {one.guid: one for one in page.included.organizations}
    for app in page.resources:
        space = spaces.get(app.relationships.space.guid or "")
        if space is None:
            continue
        msgspec.structs.force_setattr(app, "included_space", space)
        organization = organizations.get(space.relationships.organization.guid or "")
        if organization is not None:
            msgspec.structs.force_setattr(app, "included_organization", organization)
