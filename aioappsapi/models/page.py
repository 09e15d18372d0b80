"""Pages of lists. Source: https://v3-apidocs.cloudfoundry.org/#pagination."""

from __future__ import annotations

from typing import Generic, TypeVar

from aioappsapi.models.base import Pagination, Struct
from aioappsapi.models.organization import Organization
from aioappsapi.models.space import Space

T = TypeVar("T")


class Included(Struct, frozen=True, kw_only=True, gc=False):
    """The related resources that `include` asked for, each once."""

    spaces: list[Space] = []
    organizations: list[Organization] = []


class Page(Struct, Generic[T], frozen=True, kw_only=True, gc=False):
    """One page of a list; `included` is empty unless `include` asked for something."""

    pagination: Pagination
    resources: list[T]
    included: Included = Included()
