"""Sidecars: helpers that run beside the processes of an app.

Source: https://v3-apidocs.cloudfoundry.org/#sidecars
"""

from __future__ import annotations

from aioappsapi.models.base import Resource
from aioappsapi.models.droplet import AppOwned


class Sidecar(Resource, frozen=True, kw_only=True, gc=False):
    """A program in the container of each process of `process_types`, out of its memory.

    `origin` is ``user``, or ``buildpack`` for a sidecar of the droplet.
    """

    name: str = ""
    command: str = ""
    process_types: list[str] = []
    memory_in_mb: int | None = None
    origin: str = ""
    relationships: AppOwned = AppOwned()
