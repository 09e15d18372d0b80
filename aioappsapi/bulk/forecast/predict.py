"""Predicts the outcome of each app from the state of the platform, without changing anything.

The checks are the server's, in its order: the droplet comes first, even without the permission.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from aioappsapi._http.protocol import checked_segment
from aioappsapi._http.retry.policy import is_quota
from aioappsapi.bulk.actions.footprint import Footprint
from aioappsapi.bulk.actions.start_stop_restart import TARGET_STATE, ActionName
from aioappsapi.bulk.forecast.platform_state import AppFacts, PlatformState
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.errors import (
    ApiError,
    AppsApiError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ResponseError,
    UnprocessableError,
)
from aioappsapi.models.app import App

_SUSPENSIONS: Final = {
    "OrgSuspended": (10017, "OrgSuspended", "The organization is suspended"),
    "SpaceSuspended": (10019, "SpaceSuspended", "The space is suspended"),
}
_FLAGS: Final = {"docker": "diego_docker", "cnb": "diego_cnb"}


def predict(
    keys: Sequence[str],
    state: PlatformState,
    action: ActionName,
    *,
    skip_unchanged: bool,
    in_doubt: Collection[str] = (),
) -> list[Outcome[App]]:
    """Predict the outcomes in the order of the input. Uses up the quotas in `state`.

    A run retries at its end the apps that a quota refused, so they are predicted twice too. The
    state of an app `in_doubt` proves nothing, and its instances are not read here.
    """
    predictor = _Predictor(state, action, skip_unchanged=skip_unchanged, in_doubt=in_doubt)
    outcomes = [predictor.outcome(key) for key in keys]
    return [
        predictor.outcome(one.key) if one.error is not None and is_quota(one.error) else one
        for one in outcomes
    ]


class _Predictor:
    """Predicts one app after the other; apps that would start use up the quotas for the next."""

    def __init__(
        self,
        state: PlatformState,
        action: ActionName,
        *,
        skip_unchanged: bool,
        in_doubt: Collection[str],
    ) -> None:
        self._state = state
        self._action = action
        self._skip = skip_unchanged
        self._in_doubt = in_doubt

    def outcome(self, key: str) -> Outcome[App]:
        """Predict the outcome of one app."""
        try:
            checked_segment(key)
        except InvalidInputError as wrong:
            return Outcome(key=key, status=Status.FAILED, error=wrong.detached())
        app = self._state.apps.get(key)
        if app is None:
            error = self._refusal(
                key, NotFoundError, 404, 10010, "ResourceNotFound", "App not found"
            )
            return Outcome(key=key, status=Status.FAILED, error=error)
        if app.state == TARGET_STATE.get(self._action):
            if key in self._in_doubt:
                return _outcome_of(app, Status.UNVERIFIED)
            if self._skip:
                return _outcome_of(app, Status.ALREADY)
        refusal = self._refused(app)
        return _outcome_of(app, Status.OK if refusal is None else Status.FAILED, refusal)

    def _refused(self, app: AppFacts) -> AppsApiError | None:
        if self._action != "stop" and not app.has_droplet:
            return self._unprocessable(app, "Assign a droplet before starting this app.")
        if not self._state.admin and (refusal := self._forbidden(app)) is not None:
            return refusal
        if self._action == "stop":
            return None
        if (refusal := self._switched_off(app)) is not None or app.state == "STARTED":
            return refusal
        return self._over_quota(app)

    def _switched_off(self, app: AppFacts) -> AppsApiError | None:
        """Return the refusal of a feature that is off. Admins get it, too."""
        message = self._state.switched_off.get(_FLAGS.get(app.lifecycle, ""))
        if message is None:
            return None
        return self._no(app, 330002, "FeatureDisabled", f"Feature Disabled: {message}")

    def _forbidden(self, app: AppFacts) -> AppsApiError | None:
        state = self._state
        if not state.writes or (state.spaces is not None and app.space not in state.spaces):
            detail = "You are not authorized to perform the requested action"
            return self._no(app, 10003, "NotAuthorized", detail)
        if app.suspended is not None:
            return self._no(app, *_SUSPENSIONS[app.suspended])
        return None

    def _over_quota(self, app: AppFacts) -> AppsApiError | None:
        load = self._state.loads.get(app.guid, Footprint())
        places = (app.space, app.organization)
        found = (self._state.headrooms.get(place or "") for place in places)
        headrooms = [one for one in found if one is not None]
        if exceeded := sorted(one for headroom in headrooms for one in headroom.refusals(load)):
            return self._unprocessable(app, ", ".join(message for _, message in exceeded))
        for headroom in headrooms:
            headroom.take(load)
        return None

    def _unprocessable(self, app: AppFacts, detail: str) -> ResponseError:
        return self._refusal(
            app.guid, UnprocessableError, 422, 10008, "UnprocessableEntity", detail
        )

    def _no(self, app: AppFacts, code: int, title: str, detail: str) -> ResponseError:
        return self._refusal(app.guid, ForbiddenError, 403, code, title, detail)

    def _refusal(
        self, key: str, cls: type[ResponseError], status: int, code: int, title: str, detail: str
    ) -> ResponseError:
        title = f"CF-{title}"
        return cls(
            f"{self._action} {key}: would be refused: {status} {title}: {detail}",
            status=status,
            errors=(ApiError(code=code, title=title, detail=detail),),
        )


def _outcome_of(app: AppFacts, status: Status, error: AppsApiError | None = None) -> Outcome[App]:
    return Outcome(
        key=app.guid,
        name=app.name,
        space=app.space_name,
        organization=app.organization_name,
        status=status,
        error=error,
    )
