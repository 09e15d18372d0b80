"""A sandbox in a child process, so that it takes no CPU time from the program that uses it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from typing import Self


class SandboxProcess:
    """A sandbox in a child process, which ends at the latest with its parent.

    `url` is the API's address. A Ctrl-C at the terminal does not reach the child. It ends by
    `close`, or when its standard input ends because the parent died. Raises RuntimeError with the
    child's error if it does not start.

    `options` are those of the command line, `python -m aioappsapi.sandbox --help`:
    `startup=2.0`, `cells=4`, `tls=True`. The port is a free one unless `port` is given. With TLS,
    `ca_file` is the authority to trust. The endpoint `{url}/sandbox` shows and changes the
    attributes of a `Sandbox`.
    """

    def __init__(
        self, apps: int = 10, seed: int = 0, profile: str = "none", **options: object
    ) -> None:
        command = [sys.executable, "-m", "aioappsapi.sandbox", "--watch-stdin"]
        given = {"port": 0, "apps": apps, "seed": seed, "profile": profile, **options}
        command += _words(given)
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                start_new_session=True,
            )
        except BaseException:
            self._words.close()
            raise
        self.url = self._read_url()
        self.ca_file = self._read_line() if options.get("tls") else None

    def kill(self) -> None:
        """Kill the child at once, as a crash of the server would. Its world is lost."""
        self._child.kill()
        self.close()

    def close(self) -> None:
        """End the child and wait until it is gone. May be called again."""
        if self._words.closed:
            return
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._words.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _read_url(self) -> str:
        try:
            line = self._read_line()
        except BaseException:
            self._child.kill()
            self.close()
            raise
        if line.startswith("http"):
            return line
        self._child.wait()
        self._words.seek(0)
        words = self._words.read().decode("utf-8", "replace").strip()
        code = self._child.returncode
        self.close()
        raise RuntimeError(f"the sandbox did not start (exit code {code}): {words or line}")

    def _read_line(self) -> str:
        assert self._child.stdout is not None  # noqa: S101 - for the type checker
        return self._child.stdout.readline().decode().strip()


def _words(options: dict[str, object]) -> list[str]:
    given = {name: value for name, value in options.items() if value not in (None, False)}
    return [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in given.items()
    ]
