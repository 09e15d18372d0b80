"""What would become of each app if it were asked for: predicted from facts, without a change.

The checks are the server's, in its order: the droplet first, even for those who may not start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi._http.protocol import checked_segment
from aioappsapi._http.retry.policy import is_quota
from aioappsapi.bulk.asking import WANTED, Action
from aioappsapi.bulk.facts import Facts, organization_of
from aioappsapi.bulk.load import Load
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.errors import (
    AppsApiError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ResponseError,
    UnprocessableError,
)
from aioappsapi.models.app import App
from aioappsapi.models.error import ApiError

_FLAGS: Final = {"docker": "diego_docker", "cnb": "diego_cnb"}


class Oracle:
    """Predicts one app after the other; those that would start use up the quotas for the next."""

    def __init__(self, facts: Facts, action: Action, *, skip_unchanged: bool) -> None:
        self._facts = facts
        self._action = action
        self._skip = skip_unchanged

    def predict(self, keys: Sequence[str]) -> list[Outcome[App]]:
        """Predict the outcomes in the order of the input.

        What a quota refuses is tried again at the end of a run, when even more is used of it.
        """
        outcomes = [self._outcome(key) for key in keys]
        return [
            self._outcome(one.key) if one.error is not None and is_quota(one.error) else one
            for one in outcomes
        ]

    def _outcome(self, key: str) -> Outcome[App]:
        try:
            checked_segment(key)
        except InvalidInputError as wrong:
            return Outcome(key=key, status=Status.FAILED, error=wrong.detached())
        app = self._facts.apps.get(key)
        if app is None:
            error = self._refusal(
                key, NotFoundError, 404, 10010, "ResourceNotFound", "App not found"
            )
            return Outcome(key=key, status=Status.FAILED, error=error)
        if self._skip and app.state == WANTED.get(self._action):
            return Outcome(key=key, name=app.name, status=Status.ALREADY)
        refusal = self._refused(app)
        status = Status.OK if refusal is None else Status.FAILED
        return Outcome(key=key, name=app.name, status=status, error=refusal)

    def _refused(self, app: App) -> AppsApiError | None:
        droplet = app.relationships.current_droplet
        if self._action != "stop" and (droplet is None or droplet.guid is None):
            return self._unprocessable(app, "Assign a droplet before starting this app.")
        if not self._facts.admin and (refusal := self._forbidden(app)) is not None:
            return refusal
        if self._action == "stop" or app.state == "STARTED":
            return None
        return self._over_quota(app)

    def _forbidden(self, app: App) -> AppsApiError | None:
        facts = self._facts
        space = app.relationships.space.guid
        if not facts.writes or (facts.spaces is not None and space not in facts.spaces):
            detail = "You are not authorized to perform the requested action"
            return self._no(app, 10003, "NotAuthorized", detail)
        if app.included_organization and app.organization.suspended:
            return self._no(app, 10017, "OrgSuspended", "The organization is suspended")
        if app.included_space and app.space.suspended:
            return self._no(app, 10019, "SpaceSuspended", "The space is suspended")
        said = facts.switched_off.get(_FLAGS.get(app.lifecycle.type, ""))
        if said is not None and self._action != "stop":
            return self._no(app, 330002, "FeatureDisabled", f"Feature Disabled: {said}")
        return None

    def _over_quota(self, app: App) -> AppsApiError | None:
        load = self._facts.loads.get(app.guid, Load())
        places = (app.relationships.space.guid, organization_of(app))
        rooms = [self._facts.rooms[place] for place in places if place in self._facts.rooms]
        if exceeded := sorted(one for room in rooms for one in room.refusals(load)):
            return self._unprocessable(app, ", ".join(said for _, said in exceeded))
        for room in rooms:
            room.take(load)
        return None

    def _unprocessable(self, app: App, detail: str) -> ResponseError:
        return self._refusal(
            app.guid, UnprocessableError, 422, 10008, "UnprocessableEntity", detail
        )

    def _no(self, app: App, code: int, title: str, detail: str) -> ResponseError:
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
