"""Serve a sandbox: `python -m aioappsapi.sandbox`. Its address is the first line of the output."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace

from .faults import Faults
from .server import Sandbox

_PROFILES = {"none": Faults.none, "demo": Faults.demo}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aioappsapi.sandbox", description="Serve an in-memory Cloud Controller."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--apps", type=int, default=10, help="number of apps")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same world")
    parser.add_argument("--profile", choices=sorted(_PROFILES), default="none", help="faults")
    parser.add_argument("--token-lifetime", type=float, default=43200, help="seconds")
    parser.add_argument("--rate-limit", type=int, help="requests per user and minute")
    parser.add_argument("--latency", type=float, help="mean seconds per request")
    parser.add_argument("--watch-stdin", action="store_true", help="end when the input ends")
    return parser


def _faults(options: argparse.Namespace) -> Faults:
    faults = _PROFILES[options.profile]()
    if options.rate_limit is not None:
        faults = replace(faults, rate_limit=options.rate_limit)
    if options.latency is not None:
        faults = replace(faults, latency=options.latency)
    return faults


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, end.set)
    if options.watch_stdin:
        watcher = threading.Thread(target=_watch, args=(loop, end), daemon=True)
        watcher.start()
    sandbox = Sandbox(
        options.apps,
        seed=options.seed,
        faults=_faults(options),
        token_lifetime=options.token_lifetime,
        host=options.host,
        port=options.port,
    )
    async with sandbox:
        sys.stdout.write(f"{sandbox.url}\n")
        sys.stdout.flush()
        await end.wait()


def _watch(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    # A thread works for pipes, files and terminals, on every platform. It reads the descriptor
    # itself, since a blocked buffered reader would break the interpreter's shutdown.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(end.set)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal or, if so asked, the end of standard input; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
