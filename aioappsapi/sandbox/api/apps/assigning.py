"""Assigning a droplet to an app, with the processes that the droplet defines."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.world.model import App, Process, guid_of, timestamp
from aioappsapi.sandbox.world.resources import Droplet
from aioappsapi.sandbox.world.shelf import Shelf

_NOT_OURS: Final = (
    "Unable to assign current droplet. Ensure the droplet exists and belongs to this app."
)
_NO_TYPES: Final = (
    "Unable to create process types for this app's droplet. "
    "Please provide a droplet with valid process types."
)


def assign_droplet(shelf: Shelf, app: App, droplet: Droplet | None) -> None:
    """Make this the app's current droplet. Raises ApiError 422 if it belongs to another app.

    A new type of process begins with no instances, except for `web`.
    """
    if droplet is None or droplet.app is not app:
        raise errors.unprocessable(_NOT_OURS)
    if droplet.state != "STAGED":
        raise errors.unprocessable("droplet must be in staged state")
    if droplet.process_types is None:
        raise errors.unprocessable(_NO_TYPES)
    shelf.latest_revision(app)
    if app.droplet != droplet.guid:
        app.droplet, app.updated_at = droplet.guid, timestamp()
    known = {process.type for process in app.processes}
    for kind in droplet.process_types:
        if kind not in known:
            app.processes = [*app.processes, new_process(app, kind)]


def new_process(app: App, kind: str) -> Process:
    """Return a new process of an app; the first web process has the app's own GUID."""
    web = kind == "web"
    process_guid = app.guid if web else guid_of("process", app.guid, kind)
    made = Process(process_guid, kind, 1 if web else 0)
    made.created_at = made.updated_at = timestamp()
    return made
