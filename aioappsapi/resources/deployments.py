"""Deployments. Source: https://v3-apidocs.cloudfoundry.org/#deployments."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Final, Literal

from aioappsapi._http.call import Caller
from aioappsapi._http.message import Replay
from aioappsapi.models.deployment import Deployment
from aioappsapi.models.page import Page
from aioappsapi.resources.checks import check_words, refuse_unless
from aioappsapi.resources.endpoint import endpoint
from aioappsapi.resources.paging import Pager, comma_list, page_size, split_queries

LIST: Final = endpoint(
    "list deployments", "GET", "/v3/deployments", Page[Deployment], "list-deployments"
)
GET: Final = endpoint("get deployment", "GET", "/v3/deployments/{}", Deployment, "get-a-deployment")
CREATE: Final = endpoint(
    "create deployment", "POST", "/v3/deployments", Deployment, "create-a-deployment"
)
CANCEL: Final = endpoint(
    "cancel deployment",
    "POST",
    "/v3/deployments/{}/actions/cancel",
    NoneType,
    "cancel-a-deployment",
    replay=Replay.IDEMPOTENT,
)
# A second one would take a canary one step further.
CONTINUE: Final = endpoint(
    "continue deployment",
    "POST",
    "/v3/deployments/{}/actions/continue",
    NoneType,
    "continue-a-deployment",
)

Strategy = Literal["rolling", "canary", "recreate"]


class Deployments:
    """The operations on deployments."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(
        self,
        *,
        app_guids: Sequence[str] | None = None,
        status_values: Sequence[str] | None = None,
        status_reasons: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        label_selector: str | None = None,
        per_page: int | None = None,
    ) -> Pager[Deployment]:
        """List deployments. Source: GET /v3/deployments."""
        query = {
            **({"label_selector": label_selector} if label_selector is not None else {}),
            **comma_list("status_values", status_values),
            **comma_list("status_reasons", status_reasons),
            **comma_list("states", states),
            **page_size(per_page),
        }
        return Pager(self._caller, LIST, split_queries(query, {"app_guids": app_guids}))

    async def get(self, guid: str, *, deadline: float | None = None) -> Deployment:
        """Fetch a deployment. Raises NotFoundError. Source: GET /v3/deployments/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def create(
        self,
        app_guid: str,
        *,
        droplet_guid: str | None = None,
        revision_guid: str | None = None,
        strategy: Strategy | None = None,
        max_in_flight: int | None = None,
        canary_weights: Sequence[int] | None = None,
        deadline: float | None = None,
    ) -> Deployment:
        """Replace the instances of an app by new ones without downtime.

        By default with the app's current droplet. `max_in_flight` is how many new instances may be
        coming up at a time, `canary_weights` the shares of new ones, in percent, at which a canary
        stops. A stopped app is started. Raises UnprocessableError.
        Source: POST /v3/deployments.
        """
        body: dict[str, object] = {"relationships": {"app": {"data": {"guid": app_guid}}}}
        refuse_unless(
            droplet_guid is None or revision_guid is None, "Give a droplet or a revision, not both."
        )
        if droplet_guid is not None:
            body["droplet"] = {"guid": droplet_guid}
        if revision_guid is not None:
            body["revision"] = {"guid": revision_guid}
        if strategy is not None:
            check_words("strategy", [strategy], ("rolling", "canary", "recreate"))
            body["strategy"] = strategy
        if options := _options(max_in_flight, canary_weights):
            body["options"] = options
        return await self._caller.call(CREATE, body=body, deadline=deadline)

    async def cancel(self, guid: str, *, deadline: float | None = None) -> None:
        """Go back to the droplet of before. Source: POST /v3/deployments/{guid}/actions/cancel."""
        await self._caller.call(CANCEL, guid, deadline=deadline)

    async def continue_(self, guid: str, *, deadline: float | None = None) -> None:
        """Let a paused canary go on, to its next step or to the end.

        Source: POST /v3/deployments/{guid}/actions/continue.
        """
        await self._caller.call(CONTINUE, guid, deadline=deadline)


def _options(max_in_flight: int | None, canary_weights: Sequence[int] | None) -> dict[str, object]:
    options: dict[str, object] = {}
    if max_in_flight is not None:
        refuse_unless(max_in_flight >= 1, f"max_in_flight={max_in_flight}: 1 or more.")
        options["max_in_flight"] = max_in_flight
    if canary_weights is not None:
        steps = [{"instance_weight": weight} for weight in canary_weights]
        options["canary"] = {"steps": steps}
    return options
