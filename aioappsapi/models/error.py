"""The body of a failed request. Source: https://v3-apidocs.cloudfoundry.org/#errors."""

from __future__ import annotations

from aioappsapi.errors import ApiError
from aioappsapi.models.base import Struct

__all__ = ["ApiError"]


class ErrorBody(Struct, frozen=True, kw_only=True, gc=False):
    """The server's errors, as the API sends them."""

    errors: list[ApiError]
