"""Pages of lists, and the related resources in them.

Source: https://v3-apidocs.cloudfoundry.org/#pagination and #including-associated-resources
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import field

from aioappsapi.models.base import Pagination, Struct
from aioappsapi.models.organization import Organization
from aioappsapi.models.space import Space

T = TypeVar("T")


class Included(Struct, frozen=True, kw_only=True, gc=False):
    """The spaces and organizations that `include` requested, without duplicates."""

    spaces: list[Space] = []
    organizations: list[Organization] = []


class Page(Struct, Generic[T], frozen=True, kw_only=True, gc=False):
    """One page of a list. `included` is empty unless `include` was passed."""

    pagination: Pagination
    resources: list[T]
    included: Included = field(default_factory=Included)
