"""What the benchmarks print becomes tables, and each goal is found in it."""

from __future__ import annotations

from benchmarks.__main__ import rendered
from benchmarks.goals import GOALS, goals


def test_figures_of_any_shape_become_lists_and_tables() -> None:
    assert (
        rendered({"a": 1, "b": {"x": 1, "y": 2}})
        == "- a: 1\n\n| | x | y |\n|---|---|---|\n| b | 1 | 2 |"
    )
    deep = rendered({"ms": {"ours": {"2 MB": 1.5}}})
    assert deep == "**ms**\n\n| | 2 MB |\n|---|---|\n| ours | 1.5 |"


def test_a_table_with_many_columns_is_turned_and_one_with_many_of_both_stays() -> None:
    row = {f"figure {number}": number for number in range(20)}
    assert rendered({"a": row}).startswith("| | a |\n")
    large = rendered({f"row {number}": row for number in range(30)})
    assert large.count("\n") == 31


def test_each_goal_says_whether_it_is_reached_and_by_how_much_not() -> None:
    found = {"instructions": {"start": {"x raw": 1.0}, "bulk": {"x raw": 1.265}}}
    lines = goals(found).splitlines()
    assert len(lines) == 2 + len(GOALS)
    assert lines[2].endswith("| ≤ 1.05 | 1 | reached |")
    assert lines[3].endswith("| ≤ 1.15 | 1.265 | missed by 10.0% |")
    assert lines[4].endswith("| not measured | |")
    slow = goals({"decode": {"x orjson": {"ours": {"2 MB": 1.1}}}})
    assert "≥ 2.2 | 1.1 | missed by 50.0%" in slow
