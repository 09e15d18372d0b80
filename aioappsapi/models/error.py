"""The server's own errors.

Source: https://v3-apidocs.cloudfoundry.org/#errors
"""

from __future__ import annotations

from aioappsapi.models.base import Struct


class ApiError(Struct, frozen=True, kw_only=True, gc=False):
    """One error as the server tells it. Its meaning is in `title`; `code` is not unique."""

    code: int | None = None
    title: str | None = None
    detail: str | None = None


class ErrorBody(Struct, frozen=True, kw_only=True, gc=False):
    """The body of an answer that failed."""

    errors: list[ApiError]
