"""What came of waiting for one app."""

from __future__ import annotations

from enum import Enum

import msgspec

from aioappsapi.errors import AppsApiError
from aioappsapi.models.app import App


class Proof(Enum):
    """Whether the instances show that an app is in the requested state."""

    PROVED = "proved"
    DISPROVED = "disproved"  # it crashed, has no room, was deleted, or another user changed it
    UNPROVED = "unproved"  # its time was over, or its instances cannot be read


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What came of waiting for one app; the waiter makes one per app.

    `error` says why an app is not proved. `app` is set where the app's own state was read as well.
    `first_at` and `all_at` are times of the event loop's clock: when the first instance ran, and
    when as many ran as were waited for. `made` is what the next step needs: a droplet, or the
    deployment that was found. `late` tells the two kinds of unproved apart: true if the
    time of the app was over, false if its instances cannot be read.
    """

    key: str
    proof: Proof
    error: AppsApiError | None = None
    app: App | None = None
    first_at: float | None = None
    all_at: float | None = None
    made: str | None = None
    late: bool = False
