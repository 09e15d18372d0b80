"""The criteria of a selection, checked when they are made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Self, TypedDict

import msgspec

from aioappsapi.errors import refuse_unless

Words = str | Sequence[str]

_LISTS: Final = ("organizations", "spaces", "names", "stack", "exclude")
_STATES: Final = ("STARTED", "STOPPED")


class SelectOptions(TypedDict, total=False):
    """The properties of selected apps. An app must match all given options.

    Each of `organizations`, `spaces`, `names`, `stack` and `exclude` is one word or several. A
    name is exact (``web`` or ``org/space/web``), or a glob (``web-*``, ``acme/prod/*``). An exact
    name stands for one app: one that no app has is an error, unless `skip_unknown`, and so is one
    that several apps have. An exact name wins over a path. `state` is ``STARTED`` or ``STOPPED``,
    `lifecycle` is ``buildpack``, ``cnb`` or ``docker``. `exclude` has names and globs to leave out.
    `droplet_older_than` selects apps whose current droplet was made before a time, or longer ago
    than a timedelta.
    """

    organizations: Words
    spaces: Words
    names: Words
    label_selector: str | None
    stack: Words
    state: str | None
    lifecycle: str | None
    exclude: Words
    droplet_older_than: timedelta | datetime | None
    skip_unknown: bool


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """The checked form of `SelectOptions`. Raises InvalidInputError for a wrong value."""

    organizations: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    label_selector: str | None = None
    stack: tuple[str, ...] = ()
    state: str | None = None
    lifecycle: str | None = None
    exclude: tuple[str, ...] = ()
    droplet_older_than: timedelta | datetime | None = None
    skip_unknown: bool = False

    @classmethod
    def of(cls, options: SelectOptions) -> Self:
        """Take the options; one word stands for a list of one."""
        given: dict[str, object] = dict(options)
        for name in _LISTS:
            if name in given:
                words = given[name]
                given[name] = (words,) if isinstance(words, str) else tuple(words)  # type: ignore[arg-type]
        return cls(**given)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        for name in _LISTS:
            words = getattr(self, name)
            good = all(isinstance(word, str) and word for word in words)
            refuse_unless(good, f"{name}={words!r}: names, none of them empty.")
        state = self.state
        refuse_unless(
            state is None or state in _STATES, f"state={state!r}: one of {', '.join(_STATES)}."
        )
        limit = self.droplet_older_than
        aware = not isinstance(limit, datetime) or limit.tzinfo is not None
        refuse_unless(aware, f"droplet_older_than={limit!r}: a time with a zone, or a timedelta.")

    @property
    def droplets_before(self) -> datetime | None:
        """The time before which droplets count as old."""
        limit = self.droplet_older_than
        return datetime.now(UTC) - limit if isinstance(limit, timedelta) else limit
