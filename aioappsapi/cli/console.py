"""The two streams: standard output is for the result, standard error for everything else."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Final, Literal, cast

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import LogFlags, Output
from aioappsapi.cli.telemetry import trace_ids

Level = Literal["debug", "info", "warning", "error"]


def _give_up(stream: IO[str]) -> None:
    """Discard what is written to a stream from now on, and what the interpreter writes at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class _Guarded:
    """A stream whose reader may leave; `failed` gets the error that writing ended in."""

    def __init__(self, stream: IO[str], failed: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._failed = failed

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return self._stream.write(text)
        except OSError as cause:
            self._give_up(cause)
            return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        try:
            self._stream.flush()
        except OSError as cause:
            self._give_up(cause)

    def _give_up(self, cause: OSError) -> None:
        _give_up(self._stream)
        self._failed(cause)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class _GuardedConsole(Console):
    """The console of a standard stream, wherever that leads at the moment."""

    @property
    def file(self) -> IO[str]:
        """The stream."""
        failed = _not_readable if self.stderr else _not_written
        return cast(IO[str], _Guarded(super().file, failed))

    @file.setter
    def file(self, stream: IO[str]) -> None:
        self._file = stream


def _not_readable(cause: OSError) -> None:
    """Go on: when the terminal is closed, a run still ends cleanly."""


def _not_written(cause: OSError) -> None:
    raise StdoutError(cause.errno, cause.strerror or str(cause)) from None


out: Final = _GuardedConsole(soft_wrap=True)
err: Final = _GuardedConsole(stderr=True, soft_wrap=True)
help_pages: Final = _GuardedConsole()

SCHEMA: Final = 1
_NO_FIELDS: Final[Mapping[str, object]] = {}
_ROOT: Final = logging.getLogger("aioappsapi")
_WIRE: Final = logging.getLogger("aioappsapi.http")


class StdoutError(OSError):
    """Standard output could not be written."""

    def __str__(self) -> str:
        return f"standard output could not be written: {self.strerror}"

    @property
    def reader_left(self) -> bool:
        """Whether the other end of a pipe was closed, as by `head`."""
        return self.errno == errno.EPIPE


def prepare_streams() -> None:
    """Make every name of an app printable, whatever the locale."""
    _Written.anything = False
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


# -- standard output


class _Written:
    """Whether this command has written to standard output."""

    anything = False


def write_out(text: str) -> None:
    """Write to standard output now. Raises StdoutError."""
    _Written.anything = True
    if sys.stdout is None or sys.stdout.closed:
        raise StdoutError(errno.EBADF, "it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as cause:
        _give_up(sys.stdout)
        raise StdoutError(cause.errno, cause.strerror or str(cause)) from None


def print_out(shown: RenderableType) -> None:
    """Show something on a terminal. Raises StdoutError."""
    _Written.anything = True
    out.print(shown, soft_wrap=False)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines for people; control characters in names become visible."""
    from aioappsapi.bulk.reports.text import printable

    for line in lines:
        if out.is_terminal:
            text = printable(line)
            indent = len(text) - len(text.lstrip())
            print_out(Padding(Text(text.lstrip()), (0, 0, 0, indent)))
        else:
            write_out(printable(line) + "\n")


# -- standard error


class _LogFormat:
    """The format of lines on standard error."""

    as_json = False


def say(message: str, level: Level = "info", fields: Mapping[str, object] = _NO_FIELDS) -> None:
    """Write a message of this program to standard error."""
    note(message if _LogFormat.as_json else f"aioappsapi: {message}", level, fields=fields)


def note(
    line: str,
    level: Level = "info",
    *,
    console: Console = err,
    fields: Mapping[str, object] = _NO_FIELDS,
) -> None:
    """Write a line to standard error, as text or as JSON. A terminal wraps it between words.

    As JSON it has the `fields`, and the ids of the trace, where there is one.
    """
    from aioappsapi.bulk.reports.text import printable

    if _LogFormat.as_json:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = {"time": time, "level": level, "message": line}
        line = json.dumps({**head, **fields, **trace_ids()})
    # A closed standard error must not end a run.
    with suppress(OSError):
        wraps = console.is_terminal and not _LogFormat.as_json
        console.print(Text(printable(line)), soft_wrap=not wraps)


class _Handler(logging.Handler):
    """Shows what the library logs without tearing the live display."""

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "info"
        for name in ("debug", "warning", "error"):
            if record.levelname.lower() == name:
                level = name
        say(record.getMessage(), level, {"logger": record.name})


_HANDLER: Final = _Handler()


def take_log(flags: LogFlags) -> None:
    """Show the library's log on standard error, as detailed as the options say."""
    _LogFormat.as_json = flags.log_format == "json"
    _ROOT.addHandler(_HANDLER)
    _ROOT.setLevel(logging.INFO if flags.verbose else logging.WARNING)
    _WIRE.setLevel(logging.DEBUG if flags.trace else logging.WARNING)


# -- errors before the work begins


def fail(error: BaseException, status: Exit, output: Output, *, message: str = "") -> Exit:
    """Print why a command failed; with `--output json` as a document, too.

    A command that has printed its one document prints no second one.
    """
    message = message or str(error)
    say(message, "error")
    if output == "jsonl" or (output == "json" and not _Written.anything):
        with suppress(StdoutError):
            write_out(json.dumps(_document(error, status, message)) + "\n")
    return status


def _document(error: BaseException, status: Exit, message: str) -> dict[str, object]:
    known = {"type": type(error).__name__, "message": message}
    names = ("status", "code", "title", "detail", "request_id")
    more = {name: getattr(error, name, None) for name in names}
    found = {name: value for name, value in more.items() if value}
    return {"schema": SCHEMA, "error": known | found, "exit_status": int(status)}
