"""How fast are pages of apps decoded, against decoders that only make dictionaries.

Pages of 0.1, 2 and 10 MB with their spaces and organizations, made of the recorded app. Each
decoder runs in a fresh process, and its figure is the median of several rounds. Ours includes the
joining of spaces and organizations. The event loop stands still for that long. A decoder that is
not installed is left out.

`python -m benchmarks.decode [--quick]`
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Final

import msgspec

from aioappsapi import App
from aioappsapi.api.app_pager import Places
from aioappsapi.models.page import Page
from benchmarks.instructions import GUID, ORGANIZATION, SPACE, recorded_app

MB: Final = 1_000_000
SIZES: Final = {"0.1 MB": MB // 10, "2 MB": 2 * MB, "10 MB": 10 * MB}
# How many times as fast as orjson.
GOALS: Final = {"0.1 MB": 1.5, "2 MB": 2.2, "10 MB": 3.0}


def page(size: int) -> bytes:
    """Make a page of about so many bytes: apps in a hundred spaces of one organization."""
    app = recorded_app()
    spaces = [f"{SPACE[:-2]}{number:02}" for number in range(100)]
    apps = (
        app.replace(GUID.encode(), f"{GUID[:-6]}{number:06}".encode()).replace(
            SPACE.encode(), spaces[number % 100].encode()
        )
        for number in range(size // len(app))
    )
    owner = {"organization": {"data": {"guid": ORGANIZATION}}}
    included = {
        "spaces": [{"guid": one, "name": "dev", "relationships": owner} for one in spaces],
        "organizations": [{"guid": ORGANIZATION, "name": "acme"}],
    }
    return b'{"pagination":{"total_pages":1},"resources":[%b],"included":%b}' % (
        b",".join(apps),
        msgspec.json.encode(included),
    )


def ours() -> Callable[[bytes], object]:
    """Decode into typed Apps, and give each its space and organization."""
    decode = msgspec.json.Decoder(Page[App]).decode

    def read(body: bytes) -> object:
        found = decode(body)
        Places(found.included).join(found.resources)
        return found

    return read


def stdlib() -> Callable[[bytes], object]:
    """Make dictionaries with `json`."""
    return json.loads


def orjson() -> Callable[[bytes], object]:
    """Make dictionaries with orjson."""
    loads: Callable[[bytes], object] = importlib.import_module("orjson").loads
    return loads


CONTENDERS: Final = {one.__name__: one for one in (ours, orjson, stdlib)}


def seconds(name: str, body: bytes, rounds: int) -> float:
    """Return the median time of decoding a page, with its result kept meanwhile."""
    read = CONTENDERS[name]()
    read(body)
    times: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        found = read(body)
        times.append(time.perf_counter() - begun)
        del found
    return median(times)


def measure(name: str, rounds: int) -> dict[str, float]:
    """Measure one decoder in this process: seconds by size."""
    return {label: seconds(name, page(size), rounds) for label, size in SIZES.items()}


def main(rounds: int) -> int:
    """Print times and ratios as JSON."""
    times: dict[str, dict[str, float]] = {}
    for name in CONTENDERS:
        command = [sys.executable, "-m", __spec__.name, "--run", name, str(rounds)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            times[name] = json.loads(done.stdout)
    ratios = {
        label: round(times["orjson"][label] / times["ours"][label], 2)
        for label in SIZES
        if "orjson" in times
    }
    ms = {
        name: {label: round(1000 * taken, 2) for label, taken in of.items()}
        for name, of in times.items()
    }
    print(json.dumps({"ms": ms, "ours against orjson": ratios, "goals": GOALS}, indent=1))
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--run", name, rounds]:
            print(json.dumps(measure(name, int(rounds))))
        case words:
            sys.exit(main(5 if "--quick" in words else 25))
