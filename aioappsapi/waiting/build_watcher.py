"""Follow builds until each is staged or has failed."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.clock import loop_time
from aioappsapi.errors import AppsApiError, BuildFailedError
from aioappsapi.models.build import Build
from aioappsapi.waiting.follower import PAGE, Follower, MadeWatch
from aioappsapi.waiting.waiter import VERIFY_FOR

# The platform ends a build itself after 15 minutes. We wait a little longer.
_PATIENCE: Final = 960.0


class BuildList(Protocol):
    """Lists builds; `aioappsapi.api` implements it."""

    def list(
        self, *, app_guids: Sequence[str], states: Sequence[str] | None, per_page: int
    ) -> AsyncIterable[Build]:
        """List the builds of apps."""
        ...


class BuildWatcher(Follower[Build, MadeWatch]):
    """Polls until each app's build has ended. A finding's `made` is the droplet of the build."""

    def __init__(
        self,
        caller: Caller,
        builds: BuildList,
        *,
        quota_is_low: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(caller, self._list, quota_is_low=quota_is_low)
        self._builds = builds

    def _list(self, app_guids: Sequence[str], *, active: bool) -> AsyncIterable[Build]:
        return self._builds.list(
            app_guids=app_guids, states=["STAGING"] if active else None, per_page=PAGE
        )

    def watch(
        self, key: str, what: str, *, made: str, sent_at: float, doubt: AppsApiError | None = None
    ) -> None:
        """Follow the build of one more app; `made` is its GUID, or the name in its label.

        `doubt` is the error of a failed request that may have made it.
        """
        ends_at = loop_time() + (_PATIENCE if doubt is None else VERIFY_FOR)
        self._watch(MadeWatch(key, what, made=made, sent_at=sent_at, ends_at=ends_at, doubt=doubt))

    async def _judge(self, found: dict[str, Build]) -> None:
        for watch in self._watched(list(found)):
            build = found[watch.key]
            watch.seen = f"build {build.guid} {build.state}"
            if watch.doubt is not None:
                watch.doubt, watch.ends_at = None, loop_time() + _PATIENCE
            if build.state == "FAILED":
                said = build.error or "the server gives no reason"
                error = BuildFailedError(
                    f"{watch.what}: build {build.guid}: {said}", guid=build.guid
                )
                self._end(watch.disproved(error))
            elif build.state == "STAGED" and build.droplet is not None:
                self._end(msgspec.structs.replace(watch.proved(), made=build.droplet.guid))

    def _gone(self, watch: MadeWatch) -> AppsApiError:
        return BuildFailedError(
            f"{watch.what}: its build {watch.made} does not exist any more; the app was deleted.",
            guid=watch.made,
        )
