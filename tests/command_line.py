"""Runs the command line in this process, as a shell would run it."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass

from aioappsapi.cli.program import run as run_program


@dataclass
class Result:
    """What a command printed, and its exit status."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything that was printed, for the message of a failed assertion."""
        return self.stdout + self.stderr


def run(*words: str, text: str = "") -> Result:
    """Run a command with a text as its standard input."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(text)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run_program(words)
    finally:
        sys.stdin = before
    return Result(status, out.getvalue(), err.getvalue())
