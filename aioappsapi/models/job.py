"""Jobs, which the server works on after it answered 202.

Source: https://v3-apidocs.cloudfoundry.org/#jobs
"""

from __future__ import annotations

from aioappsapi.errors import ApiError
from aioappsapi.models.base import Link, Resource, Struct


class JobWarning(Struct, frozen=True, kw_only=True, gc=False):
    """A warning of a job that did not fail."""

    detail: str = ""


class Job(Resource, frozen=True, kw_only=True, gc=False):
    """A job. `state` is ``PROCESSING``, ``POLLING``, ``COMPLETE`` or ``FAILED``.

    The call that began it returns only its GUID; `client.jobs` reads the rest.
    """

    operation: str = ""
    state: str = "PROCESSING"
    errors: list[ApiError] = []
    warnings: list[JobWarning] = []
    links: dict[str, Link] = {}

    @property
    def done(self) -> bool:
        """Whether the job has ended, successfully or not."""
        return self.state in {"COMPLETE", "FAILED"}
