"""How close does the limiter come to the best fixed number in flight, server by server.

Bulk runs in virtual time against models of servers, on seeds that no constant was tuned on. With
matplotlib it also plots limit and throughput over time, one picture for all servers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median

from tests.simulated_server import (
    APPS_AT_FAULT,
    EDGES,
    GONE,
    MODELS,
    OUTAGES,
    Result,
    best_fixed,
    simulate,
)

FIRST_SEED = 1_000
# Where two of five requests fail, most of the time goes into the pauses after failures.
SHARE = {"40 % 503": 0.75}


def figures(name: str, runs: list[Result]) -> dict[str, float]:
    """Compute what the table shows of one server."""
    row: dict[str, float] = {
        "failed": median(run.failed_share for run in runs),
        "failed at worst": max(run.failed_share for run in runs),
        "requests": median(run.sent for run in runs),
        "requests during the outage": max(run.sent_away for run in runs),
        "apps lost": max(run.lost for run in runs),
        "not attempted": max(run.not_attempted for run in runs),
        "seconds": median(run.ended_at for run in runs),
    }
    if name in MODELS:
        best = best_fixed(MODELS[name])
        shares = [run.pace() / best.pace() for run in runs]
        row |= {"share": median(shares), "share at worst": min(shares)}
        row["p99 ratio"] = median(run.p99() for run in runs) / best.p99()
        if min(run.ended_at for run in [*runs, best]) > 6.0:
            late = median(run.p99(after=5.0) for run in runs)
            row["p99 ratio after 5 s"] = late / best.p99(after=5.0)
    return {figure: round(value, 4) for figure, value in row.items()}


def broken(name: str, row: dict[str, float]) -> Iterator[str]:
    """Name the promises that a row breaks."""
    if name in MODELS:
        if row["share"] < SHARE.get(name, 0.8) or row["share at worst"] < 0.6:
            yield "share"
        if row["apps lost"] or row["not attempted"]:
            yield "apps"
    if name in EDGES and row["failed at worst"] >= 0.02:
        yield "failures at an edge"
    if "knee" in name and row.get("p99 ratio after 5 s", 0.0) > 2.0:
        yield "p99"
    if name in OUTAGES and row["requests during the outage"] > 100:
        yield "requests during the outage"
    if name in GONE and not (row["requests"] <= 120 and row["seconds"] <= 65.0):
        yield "giving up"
    if name in APPS_AT_FAULT and row["apps lost"] != APPS_AT_FAULT[name].bad_apps:
        yield "apps"


def print_table(rows: dict[str, dict[str, float]]) -> None:
    """Print one line per server for people."""
    print(f"{'server':30} share worst  p99  late  failed  worst requests lost  n.a. seconds")
    for name, row in rows.items():
        ratios = [row.get(key) for key in ("share", "share at worst")]
        tails = [row.get(key) for key in ("p99 ratio", "p99 ratio after 5 s")]
        print(
            f"{name:30}",
            *(f"{'' if value is None else format(value, '.2f'):>5}" for value in ratios),
            *(f"{'' if value is None else format(value, '.1f'):>4}" for value in tails),
            f"{row['failed']:7.2%} {row['failed at worst']:6.2%} {row['requests']:8.0f}",
            f"{row['apps lost']:4.0f} {row['not attempted']:5.0f} {row['seconds']:7.0f}",
        )


def per_second(moments: Iterable[float]) -> Counter[int]:
    """Count events per second."""
    return Counter(int(moment) for moment in moments)


def plot(path: str, names: list[str], seed: int) -> None:
    """Draw limit and throughput over virtual time, one panel per server."""
    from matplotlib import pyplot as plt

    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(5 * columns, 3 * rows), squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        run = simulate({**MODELS, **GONE, **APPS_AT_FAULT}[name], seed)
        axis.step(*zip(*run.levels, strict=True), color="tab:blue", where="post")
        axis.set_title(name, fontsize=9)
        axis.set_ylabel("limit", color="tab:blue")
        done = per_second(run.done_at)
        other = axis.twinx()
        seconds = range(int(run.ended_at) + 1)
        other.plot(seconds, [done[second] for second in seconds], color="tab:orange")
        other.set_ylabel("successes per second", color="tab:orange")
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", default="", help="parts of names, separated by semicolons")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plot", metavar="FILE", help="draw a picture, with matplotlib")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    models = {
        name: model
        for name, model in {**MODELS, **GONE, **APPS_AT_FAULT}.items()
        if any(part in name for part in options.servers.split(";"))
    }
    rows = {
        name: figures(name, [simulate(model, seed) for seed in seeds])
        for name, model in models.items()
    }
    passed = {name: faults for name, row in rows.items() if (faults := list(broken(name, row)))}
    if options.json:
        print(json.dumps({"figures": rows, "broken": passed}, indent=1))
    else:
        print_table(rows)
        print("broken:", passed or "nothing")
    if options.plot:
        plot(options.plot, list(models), FIRST_SEED)
    return bool(passed)


if __name__ == "__main__":
    sys.exit(main())
