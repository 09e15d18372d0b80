"""Runs the command line in this process, as a shell would run it."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
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


class Terminal:
    """A pseudo-terminal of a command, and the text that it has shown so far."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self.shown = b""

    def read_until(self, text: bytes, times: int = 1) -> None:
        while self.shown.count(text) < times:
            self.shown += os.read(self._ours, 1024)

    def answer(self, process: subprocess.Popen[bytes], answer: bytes | signal.Signals) -> None:
        """Type an answer, or send a signal to the command that waits for one."""
        if isinstance(answer, bytes):
            os.write(self._ours, answer)
            return
        process.send_signal(answer)
        # A signal just before the command begins to read has no effect.
        while not select.select([self._ours], [], [], 1.0)[0]:
            process.send_signal(answer)

    def read_to_end(self) -> None:
        with contextlib.suppress(OSError):  # the end of a terminal that the command closed
            while part := os.read(self._ours, 1024):
                self.shown += part
        os.close(self._ours)
