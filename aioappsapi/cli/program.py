"""From the arguments to the exit status. No error ends in a traceback."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from cyclopts import CycloptsError

from aioappsapi.cli.commands import app
from aioappsapi.cli.console import StdoutError, fail, help_pages, prepare_streams, say, take_log
from aioappsapi.cli.exits import Exit
from aioappsapi.cli.flags import STDIN, LogFlags, Output
from aioappsapi.cli.usage import explain

_FORMATS: Final[tuple[Output, ...]] = ("json", "jsonl")


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name and return its exit status."""
    prepare_streams()
    take_log(LogFlags())
    tokens = [STDIN if word == "-" else word for word in arguments]
    try:
        status = app(
            tokens,
            console=help_pages,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        return int(status or 0)  # None after a help page
    except CycloptsError as wrong:
        return _usage(wrong, arguments)
    except StdoutError as cause:
        if not cause.reader_left:
            say(str(cause), "error")
        return Exit.NOT_WRITTEN
    except Exception as bug:
        if os.environ.get("AIOAPPSAPI_DEBUG"):
            raise
        message = (
            f"a bug of this program, {type(bug).__name__}: {bug}. "
            "AIOAPPSAPI_DEBUG=1 shows where it happened."
        )
        return fail(bug, Exit.BUG, _output_of(arguments), message=message)


def _usage(wrong: CycloptsError, arguments: Sequence[str]) -> Exit:
    return fail(wrong, Exit.USAGE, _output_of(arguments), message=explain(wrong))


def _output_of(arguments: Sequence[str]) -> Output:
    """Find the output format in arguments that could not be parsed."""
    words = " ".join(arguments).replace("=", " ")
    return next((one for one in _FORMATS if f"--output {one} " in f"{words} "), "text")
