"""Audit events against the recordings of a real server."""

from __future__ import annotations

import pytest

from aioappsapi import InvalidInputError
from aioappsapi.api.audit_events import AuditEvents
from tests.replay import Answer, Seen, Wire, recording


async def test_events_are_listed_by_type_and_target() -> None:
    one = recording("audit-events__target_guids")

    async def answering(seen: Seen) -> Answer:
        return one.answer

    wire = Wire(answering)
    event = (
        await AuditEvents(wire.caller())
        .list(types=["audit.app.process.create"], target_guids=["app-1"], order_by="-created_at")
        .first()
    )
    assert event is not None
    assert event.type == "audit.app.process.create"
    assert (event.actor.type, event.target.name) == ("user", "web-shop")
    assert event.data is not None
    assert event.data["process_type"] == "web"
    assert event.space is not None
    assert event.created_at is not None
    assert wire.seen[0].target == (
        "/v3/audit_events?order_by=-created_at&types=audit.app.process.create"
        "&target_guids=app-1&per_page=1"
    )


async def test_one_event_is_fetched_by_guid() -> None:
    one = recording("audit-events__get")

    async def answering(seen: Seen) -> Answer:
        return one.answer

    wire = Wire(answering)
    event = await AuditEvents(wire.caller()).get("event-1")
    assert event.guid == one.json["guid"]
    assert wire.seen[0].target == "/v3/audit_events/event-1"


async def test_an_unknown_order_is_refused() -> None:
    async def answering(seen: Seen) -> Answer:
        raise AssertionError("nothing is sent")

    with pytest.raises(InvalidInputError, match="order_by"):
        AuditEvents(Wire(answering).caller()).list(order_by="type")
