"""The input of a bulk run: its apps in order, without duplicates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence

from aioappsapi._http.retry.policy import is_refusal_of_app
from aioappsapi.bulk.reports.outcome import Outcome, Status
from aioappsapi.errors import InvalidInputError
from aioappsapi.models.app import App

Key = str | App | Outcome[object]
Keys = Iterable[Key] | AsyncIterable[Key]
# The names of a space and its organization, as far as they are known.
Place = tuple[str | None, str | None]


class Inputs:
    """The distinct apps of a run, claimed one by one.

    An ordinary iterable is read at once, before anything is sent: if it raises, nothing has
    happened yet. An async iterable is read by `feed` during the run, one app ahead.

    `names` has the names of apps that were given as an App or an Outcome, and `places` the names of
    their space and organization if known. `in_doubt` are the apps for which an earlier request may
    have taken effect: their state alone proves nothing.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys: list[str] = []
        self.names: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.in_doubt: set[str] = set()
        self._known: set[str] = set()
        self._cursor = 0
        self._horizon: int | None = None
        self._places: list[int] | None = None
        self._read_all = False
        self._wanted = asyncio.Event()
        self._source = self._open(keys)

    @property
    def exhausted(self) -> bool:
        """Whether all apps are known."""
        return self._source is None

    @property
    def left(self) -> int:
        """The number of known apps that are not claimed yet."""
        return len(self.keys) - self._cursor

    @property
    def horizon(self) -> int:
        """The index up to which apps may be claimed now."""
        return len(self.keys) if self._horizon is None else self._horizon

    def arrange(self, keys: Sequence[str]) -> None:
        """Put all apps into another order, and let none be claimed before `open_until`."""
        before = {key: place for place, key in enumerate(self.keys)}
        self._places = [before[key] for key in keys]
        self.keys = list(keys)
        self._horizon = 0

    def open_until(self, horizon: int | None) -> None:
        """Let the apps before this index be claimed; None lets all."""
        self._horizon = horizon

    def place(self, index: int) -> int:
        """Return the place of an app in the input as it came."""
        return index if self._places is None else self._places[index]

    @property
    def claimable(self) -> int:
        """The number of apps that may be claimed now."""
        return self.horizon - self._cursor

    def claim(self) -> int | None:
        """Return the index of the next app; None if no more may be claimed now."""
        index = self._cursor
        if index == (len(self.keys) if self._horizon is None else self._horizon):
            self._wanted.set()
            return None
        self._cursor = index + 1
        return index

    async def read_all(self) -> None:
        """Read the whole input now."""
        self.read_rest()
        await self.feed(lambda: None)

    def read_rest(self) -> None:
        """Make `feed` read to the end without waiting, so that a stopped run can name every app."""
        self._read_all = True
        self._wanted.set()

    async def feed(self, on_news: Callable[[], None]) -> None:
        """Read an async iterable to its end, and call `on_news` after each app and at the end."""
        while self._source is not None:
            await self._wanted.wait()
            try:
                added = self._add(await anext(self._source))
            except StopAsyncIteration:
                self._source = None
                added = True
            if added:
                if not self._read_all:
                    self._wanted.clear()
                on_news()

    def _open(self, keys: object) -> AsyncIterator[object] | None:
        if isinstance(keys, str | bytes):
            raise InvalidInputError(f"{keys!r} is one GUID. Pass a list, like [{keys!r}].")
        if isinstance(keys, AsyncIterable):
            return aiter(keys)
        if not isinstance(keys, Iterable):
            raise InvalidInputError(f"{keys!r} is no list of GUIDs, Apps or Outcomes.")
        for item in keys:
            self._add(item)
        return None

    def _add(self, item: object) -> bool:
        """Add an app, unless it is known already."""
        key = item if isinstance(item, str) else _key_of(item)
        if key in self._known:
            return False
        self._known.add(key)
        self.keys.append(key)
        if not isinstance(item, str):
            self._describe(key, item)
        return True

    def _describe(self, key: str, item: object) -> None:
        place: Place = (None, None)
        name: str | None = None
        if isinstance(item, App):
            name, place = item.name, _place_of(item)
        elif isinstance(item, Outcome):
            name, place = item.name, (item.space, item.organization)
            if _is_in_doubt(item):
                self.in_doubt.add(key)
        if name is not None:
            self.names[key] = name
        if place != (None, None):
            self.places[key] = place


def _key_of(item: object) -> str:
    if isinstance(item, App):
        return item.guid
    if isinstance(item, Outcome):
        return item.key
    raise InvalidInputError(f"{item!r} is no GUID, App or Outcome.")


def _place_of(app: App) -> Place:
    space, organization = app.included_space, app.included_organization
    return (space.name if space else None, organization.name if organization else None)


def _is_in_doubt(outcome: Outcome[object]) -> bool:
    """Check whether an earlier run may have changed the app without a known result.

    The server stores a state before any instance starts, so a later run must not trust the state of
    such an app.
    """
    if outcome.done:
        return False
    if outcome.status is Status.UNVERIFIED:
        return True
    error = outcome.error
    return outcome.attempts > 0 and not (error is not None and is_refusal_of_app(error))
