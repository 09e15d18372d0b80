"""The result of waiting for one app."""

from __future__ import annotations

from enum import Enum

import msgspec

from aioappsapi.errors import AppsApiError
from aioappsapi.models.app import App


class Proof(Enum):
    """Whether the instances show that an app is in the requested state."""

    PROVED = "proved"
    DISPROVED = "disproved"  # it crashed, has no cell, was deleted, or another user changed it
    UNPROVED = "unproved"  # it timed out, or its instances cannot be read


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of waiting for one app; the waiter makes one per app.

    `error` says why an app is not proved. `app` is set if the app's own state was read as well.
    `first_at` and `all_at` are times of the event loop's clock: when the first instance ran, and
    when the required number ran. `made` is what the next step needs: a droplet, or the
    deployment that was found. `late` distinguishes the two kinds of unproved: true if the
    app timed out, false if its instances cannot be read.
    """

    key: str
    proof: Proof
    error: AppsApiError | None = None
    app: App | None = None
    first_at: float | None = None
    all_at: float | None = None
    made: str | None = None
    late: bool = False
