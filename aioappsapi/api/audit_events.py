"""Audit events: actions of users, and crashes of instances with their reasons.

Source: https://v3-apidocs.cloudfoundry.org/#audit-events
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.api.checks import check_words
from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.models.audit_event import AuditEvent
from aioappsapi.models.page import Page

LIST: Final = endpoint(
    "list audit events", "GET", "/v3/audit_events", Page[AuditEvent], "list-audit-events"
)
GET: Final = endpoint(
    "get audit event", "GET", "/v3/audit_events/{}", AuditEvent, "get-an-audit-event"
)

_ORDERS: Final = ("created_at", "-created_at", "updated_at", "-updated_at")


class AuditEvents(Endpoints):
    """The endpoints of audit events."""

    def list(
        self,
        *,
        types: Sequence[str] | None = None,
        target_guids: Sequence[str] | None = None,
        space_guids: Sequence[str] | None = None,
        organization_guids: Sequence[str] | None = None,
        order_by: str | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[AuditEvent]:
        """List the events that this login may see, such as ``audit.app.process.crash``.

        A login without the role to read them gets an empty list. `order_by` is ``created_at``, or
        ``-created_at`` for the newest first. Raises InvalidInputError for an unknown order or a
        `per_page` out of bounds, unless `validate` is false. Source: GET /v3/audit_events.
        """
        if validate:
            check_words("order_by", () if order_by is None else (order_by,), _ORDERS)
        queries = list_queries(
            {
                "target_guids": target_guids,
                "space_guids": space_guids,
                "organization_guids": organization_guids,
            },
            lists={"types": types},
            order_by=order_by,
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> AuditEvent:
        """Fetch an event. Raises NotFoundError. Source: GET /v3/audit_events/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)
