"""Quotas and their usage."""

from __future__ import annotations

from typing import Any

import pytest

from aioappsapi.api.quotas import Quotas
from tests.replay import Answer, Seen, Wire, reply


async def _usage(seen: Seen) -> Answer:
    return reply({"usage_summary": {"started_instances": 3, "memory_in_mb": 500}})


async def test_usage_is_read_for_an_organization_or_a_space() -> None:
    wire = Wire(_usage)
    quotas = Quotas(wire.caller())
    usage = await quotas.get_usage(organization_guid="org-1")
    assert usage.memory_in_mb == 500
    await quotas.get_usage(space_guid="space-1")
    assert [seen.target for seen in wire.seen] == [
        "/v3/organizations/org-1/usage_summary",
        "/v3/spaces/space-1/usage_summary",
    ]


@pytest.mark.parametrize("wrong", [{}, {"organization_guid": "o", "space_guid": "s"}])
async def test_usage_needs_exactly_one_guid(wrong: dict[str, Any]) -> None:
    wire = Wire(_usage)
    with pytest.raises(TypeError, match="an organization_guid or a space_guid"):
        await Quotas(wire.caller()).get_usage(**wrong)
    assert wire.seen == []
