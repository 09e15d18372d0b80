"""What every resource of the API is made of.

Unknown fields are ignored and optional ones may be absent, because servers differ; enumerations
stay `str`, so that a value of a newer server never costs a finished call.
Source: https://v3-apidocs.cloudfoundry.org/#concepts
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Struct(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An immutable value of the API. It holds no cycles, so the garbage collector may skip it."""


class Link(Struct, frozen=True, kw_only=True, gc=False):
    """Where something related is found; `method` is GET unless the server says otherwise."""

    href: str
    method: str | None = None


class Metadata(Struct, frozen=True, kw_only=True, gc=False):
    """Labels, which can be selected by, and annotations, which cannot."""

    labels: dict[str, str | None] = {}
    annotations: dict[str, str | None] = {}


class Ref(Struct, frozen=True, kw_only=True, gc=False):
    """The GUID of another resource; None where the server names nothing."""

    guid: str | None = None


class Relationship(Struct, frozen=True, kw_only=True, gc=False):
    """A relation to one resource. `data` is None, or its GUID is, where there is none."""

    data: Ref | None = None

    @property
    def guid(self) -> str | None:
        """The related resource's GUID, or None."""
        return self.data.guid if self.data is not None else None


class Pagination(Struct, frozen=True, kw_only=True, gc=False):
    """Where a page stands in its list; `next` is None on the last one."""

    total_results: int = 0
    total_pages: int = 0
    first: Link | None = None
    last: Link | None = None
    next: Link | None = None
    previous: Link | None = None


class Resource(Struct, frozen=True, kw_only=True, gc=False):
    """What all resources have: a GUID and, mostly, times."""

    guid: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
