"""Outcomes: their status and their repr."""

from __future__ import annotations

import pytest

from aioappsapi import Outcome, Status
from tests.reports import BAD, OK, outcome


@pytest.mark.parametrize("status", Status)
def test_only_ok_and_already_are_done(status: Status) -> None:
    assert status.done == outcome("a", status).done == (status in {"ok", "already"})


def test_a_label_has_every_known_part_of_the_path() -> None:
    assert Outcome(key="g", status=Status.OK).label == "g"
    assert Outcome(key="g", status=Status.OK, name="web").label == "web"
    full = Outcome(key="g", status=Status.OK, name="web", space="dev", organization="acme")
    assert full.label == "acme/dev/web"


def test_a_repr_has_at_most_three_lines_and_no_body() -> None:
    assert repr(BAD).splitlines() == [
        "<Outcome worker: failed",
        f"  UnprocessableError: {BAD.error}",
        "  1 request in 0.05 s>",
    ]
    assert repr(OK).splitlines() == ["<Outcome wéb: ok", "  1 request in 4.60 s>"]
    assert "\x1b" not in repr(Outcome(key="\x1b[2J", status=Status.OK))
    assert "secret" not in repr(BAD)
