"""Deployments. Source: https://v3-apidocs.cloudfoundry.org/#deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Final, Literal

from aioappsapi._http.message import Replay
from aioappsapi.api.checks import check_labels, check_words
from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.poll import poll_until
from aioappsapi.api.queries import list_queries
from aioappsapi.errors import DeploymentFailedError, refuse_unless
from aioappsapi.models.deployment import Deployment
from aioappsapi.models.page import Page

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
# A second request would move a canary one step further.
CONTINUE: Final = endpoint(
    "continue deployment",
    "POST",
    "/v3/deployments/{}/actions/continue",
    NoneType,
    "continue-a-deployment",
)

Strategy = Literal["rolling", "canary", "recreate"]
_STRATEGIES: Final = ("rolling", "canary", "recreate")


class Deployments(Endpoints):
    """The endpoints of deployments."""

    def list(
        self,
        *,
        app_guids: Sequence[str] | None = None,
        status_values: Sequence[str] | None = None,
        status_reasons: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        label_selector: str | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Deployment]:
        """List deployments.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/deployments.
        """
        queries = list_queries(
            {"app_guids": app_guids},
            lists={
                "status_values": status_values,
                "status_reasons": status_reasons,
                "states": states,
            },
            label_selector=label_selector,
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST, queries)

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
        labels: Mapping[str, str] | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> Deployment:
        """Begin to replace the instances of an app by new ones, without downtime.

        The new instances run the app's current droplet, or the given droplet or revision (not
        both). `max_in_flight` is the maximum of new instances that start at a time.
        `canary_weights` are shares of new instances in percent; a canary pauses at each. A stopped
        app is started. Raises InvalidInputError for values that the server would surely refuse,
        unless `validate` is false; UnprocessableError. Source: POST /v3/deployments.
        """
        if validate:
            one = droplet_guid is None or revision_guid is None
            refuse_unless(one, "Give a droplet or a revision, not both.")
            check_words("strategy", () if strategy is None else (strategy,), _STRATEGIES)
            fits = max_in_flight is None or max_in_flight >= 1
            refuse_unless(fits, f"max_in_flight={max_in_flight}: 1 or more.")
            check_labels(labels or {})
        body: dict[str, object] = {"relationships": {"app": {"data": {"guid": app_guid}}}}
        if droplet_guid is not None:
            body["droplet"] = {"guid": droplet_guid}
        if revision_guid is not None:
            body["revision"] = {"guid": revision_guid}
        if strategy is not None:
            body["strategy"] = strategy
        if options := _options(max_in_flight, canary_weights):
            body["options"] = options
        if labels is not None:
            body["metadata"] = {"labels": dict(labels)}
        return await self._caller.call(CREATE, body=body, deadline=deadline)

    async def cancel(self, guid: str, *, deadline: float | None = None) -> None:
        """Begin to return to the former droplet and instances; `wait` shows when that is done.

        Some former instances may be down for a few seconds after it. Raises NotFoundError,
        UnprocessableError for a deployment that has ended.
        Source: POST /v3/deployments/{guid}/actions/cancel.
        """
        await self._caller.call(CANCEL, guid, deadline=deadline)

    async def continue_(self, guid: str, *, deadline: float | None = None) -> None:
        """Continue a paused canary, to its next step or to the end.

        Raises NotFoundError, UnprocessableError for a deployment that is not paused.
        Source: POST /v3/deployments/{guid}/actions/continue.
        """
        await self._caller.call(CONTINUE, guid, deadline=deadline)

    async def wait(
        self, deployment: Deployment | str, *, deadline: float | None = None
    ) -> Deployment:
        """Poll a deployment at growing intervals until it is deployed, or a canary pauses.

        A paused canary has the reason ``PAUSED``, and goes on after `continue_`. The server never
        ends a deployment whose instances crash or get no cell: pass a `deadline`, in
        seconds from now. Once it is deployed, all new ``web`` instances run; other processes may
        still be restarting. Raises DeploymentFailedError if it was canceled or superseded,
        DeadlineError, NotFoundError (with the app deleted, too).
        Source: GET /v3/deployments/{guid}.
        """
        guid = deployment.guid if isinstance(deployment, Deployment) else deployment
        ended = await poll_until(
            self._caller,
            lambda: self.get(guid),
            _has_ended,
            what=f"wait for deployment {guid}",
            deadline=deadline,
            describe=_describe,
        )
        if ended.status.reason not in {"DEPLOYED", "PAUSED"}:
            raise DeploymentFailedError(
                f"deployment {guid} is not deployed: {_describe(ended)}.",
                guid=guid,
                reason=ended.status.reason or "",
            )
        return ended


def _has_ended(deployment: Deployment) -> bool:
    return deployment.status.value == "FINALIZED" or deployment.status.reason == "PAUSED"


def _describe(deployment: Deployment) -> str:
    status = deployment.status
    error = status.details.error
    return f"{status.value} {status.reason}" + (f" ({error})" if error else "")


def _options(max_in_flight: int | None, canary_weights: Sequence[int] | None) -> dict[str, object]:
    options: dict[str, object] = {}
    if max_in_flight is not None:
        options["max_in_flight"] = max_in_flight
    if canary_weights is not None:
        steps = [{"instance_weight": weight} for weight in canary_weights]
        options["canary"] = {"steps": steps}
    return options
