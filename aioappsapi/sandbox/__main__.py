"""Serve a sandbox: `python -m aioappsapi.sandbox`. Its address is the first line of the output.

With TLS, the second line is the file of the certificate authority to trust.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Final

from aioappsapi.sandbox.server.sandbox import Sandbox
from aioappsapi.sandbox.world.faults import PROFILES, Faults, changed
from aioappsapi.sandbox.world.json_types import Json

COULD_NOT_START: Final = 3
_SETTINGS: Final = (
    ("host", str, "address to listen on (127.0.0.1)"),
    ("apps", int, "number of apps"),
    ("seed", int, "the same seed gives the same world and the same faults (0)"),
    ("started", None, "the apps run from the beginning"),
    ("token_lifetime", float, "seconds (43200)"),
    ("close_after", int, "requests after which a connection closes"),
    ("cells", int, "number of machines that run instances (1)"),
    ("cell_memory_mb", int, "memory of each cell (unlimited)"),
    ("max_starting_per_cell", int, "instances that a cell can start at a time (any number)"),
    ("tls", None, "serve HTTPS, with a temporary certificate"),
)
_FAULTS: Final = (
    ("latency", float, "mean seconds per request"),
    ("rate_limit", int, "requests per user and window"),
    ("rate_window", float, "seconds of that window (60)"),
    ("startup", float, "mean seconds until an instance runs"),
    ("shutdown", float, "seconds until an instance is gone"),
    ("crash", float, "share of instances that crash again and again"),
    ("crash_once", float, "share of instances that crash at their first start"),
)


def _parser(prog: str, port: int, apps: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serve an in-memory Cloud Controller until Ctrl-C; its user is admin / admin.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--port", type=int, default=port, help=f"port to listen on; 0 is any free port ({port})"
    )
    parser.add_argument("--profile", choices=PROFILES, default="none", help="which faults occur")
    for name, kind, text in (*_SETTINGS, *_FAULTS):
        option = f"--{name.replace('_', '-')}"
        if kind is None:
            parser.add_argument(option, action="store_true", help=text)
        else:
            parser.add_argument(option, type=kind, help=text)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other fault, such as truncated=0.1; may be repeated",
    )
    parser.add_argument("--watch-stdin", action="store_true", default=False, help=argparse.SUPPRESS)
    parser.set_defaults(apps=apps)
    return parser


def _sandbox(options: Json) -> Sandbox:
    values = {name: options.pop(name) for name, _, _ in _FAULTS if name in options}
    for text in options.pop("fault"):
        name, _, value = text.partition("=")
        try:
            values[name] = json.loads(value)
        except ValueError:
            raise ValueError(f"--fault takes NAME=VALUE, not {text!r}") from None
    faults = changed(Faults.profile(options.pop("profile")), values)
    return Sandbox(faults=faults, **options)


async def _serve(sandbox: Sandbox, *, watch_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, end.set)
    if watch_stdin:
        watcher = threading.Thread(target=_watch, args=(loop, end), daemon=True)
        watcher.start()
    async with sandbox:
        sys.stdout.write(f"{sandbox.url}\n")
        if sandbox.tls:
            sys.stdout.write(f"{sandbox.ca_file}\n")
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


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m aioappsapi.sandbox",
    port: int = 0,
    apps: int = 10,
) -> int:
    """Serve until a signal, and with `--watch-stdin` until the end of input; return the exit code.

    `port` and `apps` are the defaults of the arguments.
    """
    parser = _parser(prog, port, apps)
    options = vars(parser.parse_args(arguments))
    watch_stdin = options.pop("watch_stdin")
    try:
        sandbox = _sandbox(dict(options))
    except ValueError as error:
        parser.error(str(error))
    try:
        asyncio.run(_serve(sandbox, watch_stdin=watch_stdin))
    except KeyboardInterrupt:
        return 0
    except ImportError as error:
        return _fail(str(error))
    except (OSError, OverflowError) as error:
        return _fail(f"cannot listen on {_listening_on(options)}: {_reason(error)}")
    return 0


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    # The event loop's text for an error number is long. The system's own text is enough.
    if number is not None and number > 0:
        return os.strerror(number)
    return getattr(error, "strerror", None) or str(error)


def _listening_on(options: Json) -> str:
    port = f"port {options['port']}"
    return f"{options['host']}, {port}" if "host" in options else port


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return COULD_NOT_START


if __name__ == "__main__":
    sys.exit(main())
