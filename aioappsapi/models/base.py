"""The base of all models, and the parts that many of them share.

Servers differ: unknown fields are ignored, and all fields but a few may be absent. Enumerations
stay `str`, so that a new value of a newer server never fails a call that succeeded.
Source: https://v3-apidocs.cloudfoundry.org/#concepts
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Struct(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An immutable value of the API.

    It never holds a cycle, so the garbage collector need not look at it (`gc=False`).
    """


class Link(Struct, frozen=True, kw_only=True, gc=False):
    """The address of a related resource. `method` is None for GET."""

    href: str
    method: str | None = None


class Metadata(Struct, frozen=True, kw_only=True, gc=False):
    """Labels, which `label_selector` can select by, and annotations, which it cannot."""

    labels: dict[str, str | None] = {}
    annotations: dict[str, str | None] = {}


class Ref(Struct, frozen=True, kw_only=True, gc=False):
    """The GUID of another resource, or None."""

    guid: str | None = None


class Relationship(Struct, frozen=True, kw_only=True, gc=False):
    """A relation to one resource. Without a related resource, `data` or its GUID is None."""

    data: Ref | None = None

    @property
    def guid(self) -> str | None:
        """The related resource's GUID, or None."""
        return self.data.guid if self.data is not None else None


class Pagination(Struct, frozen=True, kw_only=True, gc=False):
    """The place of a page in its list. `next` is None on the last page."""

    total_results: int = 0
    total_pages: int = 0
    first: Link | None = None
    last: Link | None = None
    next: Link | None = None
    previous: Link | None = None


class Resource(Struct, frozen=True, kw_only=True, gc=False):
    """A resource of the API: it has a GUID and usually the times of its creation and update."""

    guid: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
