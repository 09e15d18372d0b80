"""Jobs: what the server goes on with after it answered 202.

Source: https://v3-apidocs.cloudfoundry.org/#jobs
"""

from __future__ import annotations

from aioappsapi.errors import ApiError
from aioappsapi.models.base import Link, Resource, Struct


class JobWarning(Struct, frozen=True, kw_only=True, gc=False):
    """Something that a job wants to be known, though it does not fail for it."""

    detail: str = ""


class Job(Resource, frozen=True, kw_only=True, gc=False):
    """A job. `state` is ``PROCESSING``, ``POLLING``, ``COMPLETE`` or ``FAILED``.

    Straight after the operation that made it, only its GUID is known.
    """

    operation: str = ""
    state: str = "PROCESSING"
    errors: list[ApiError] = []
    warnings: list[JobWarning] = []
    links: dict[str, Link] = {}

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state in {"COMPLETE", "FAILED"}
