"""Text for people: without control characters, with correct plurals."""

from __future__ import annotations

import pytest

from aioappsapi.bulk.reports.text import counted, printable, span


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 apps"), (1, "1 app"), (2, "2 apps"), (12345, "12,345 apps")]
)
def test_a_number_agrees_with_its_noun(number: int, text: str) -> None:
    assert counted(number, "app") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 s"),
        (0.42, "0.42 s"),
        (4.21, "4.2 s"),
        (119.96, "2 min"),
        (200.0, "3 min 20 s"),
        (7200.0, "2 h"),
        (7500.0, "2 h 5 min"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_control_characters_become_visible() -> None:
    assert printable("a\x1b[2J\nb\u202ec\udce9") == r"a\x1b[2J\nb\u202ec\udce9"
    assert printable("wéb ✓") == "wéb ✓"
