"""Plots of the results, as SVG below `docs/assets/`. They need matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent.parent / "docs/assets"
_OURS: Final = ("start", "bulk", "bulk_default", "bulk_journal", "ours")


def draw(results: Mapping[str, Any]) -> None:
    """Draw a plot of each benchmark that has one and whose figures are there."""
    if importlib.util.find_spec("matplotlib") is None:
        print("matplotlib is not installed, so nothing is drawn.")
        return
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "aioappsapi", "svg.fonttype": "none", "font.size": 9})
    for name, plot in PLOTS.items():
        if isinstance(figures := results.get(name), dict) and "skipped" not in figures:
            plot(figures)


def _bars(name: str, title: str, values: Mapping[str, float], **marks: Any) -> None:
    """Draw horizontal bars, ours in another colour; `goals` are marked with a line."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.4 * len(values) + 1.1))
    names = list(values)[::-1]
    colours = ["tab:blue" if one in _OURS else "tab:gray" for one in names]
    bars = axes.barh(names, [values[one] for one in names], color=colours)
    axes.bar_label(bars, fmt="%.3g", padding=3)
    for one, goal in marks.get("goals", {}).items():
        place = names.index(one)
        axes.plot([goal, goal], [place - 0.4, place + 0.4], color="tab:orange", linewidth=2)
    if marks.get("logarithmic"):
        axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(FOLDER / f"benchmark-{name}.svg", metadata={"Date": None})
    plt.close(figure)


def _calls(figures: Mapping[str, Any]) -> None:
    values = {name: row["CPU x raw"] for name, row in figures.items()}
    _bars("calls", "CPU time per call, in units of a bare aiohttp loop", values, logarithmic=True)


def _instructions(figures: Mapping[str, Any]) -> None:
    values = {name: row["x raw"] for name, row in figures.items()}
    goals = {name: row["goal"] for name, row in figures.items() if "goal" in row}
    title = "Instructions per call, in units of a bare aiohttp loop; goals in orange"
    _bars("instructions", title, values, goals=goals)


def _decode(figures: Mapping[str, Any]) -> None:
    values = {name: row["10 MB"] for name, row in figures["x orjson"].items()}
    goals = {"ours": figures["goals"]["10 MB"]}
    title = "Speed of decoding a page of 10 MB, in units of orjson; our goal in orange"
    _bars("decode", title, values, goals=goals)


PLOTS: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = {
    "calls": _calls,
    "instructions": _instructions,
    "decode": _decode,
}
