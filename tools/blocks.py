"""Runs the code blocks of a page, one after the other, against a sandbox.

A Python block may use `await`, an open `client`, `cloud` (its sandbox), `guids` and `guid`. A block
with test functions is run by pytest. A shell block runs in a folder that belongs to the page, with
the sandbox in the environment; variables that it exports are there in the next one. Its last status
is 0, or the one that a comment names (``# exit status 1``). Ports from 8080 to 8082 stand for free
ones. A block after ``<!-- skip: next "reason" -->`` is left out.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
import unittest
from contextlib import ExitStack, chdir, suppress
from pathlib import Path
from unittest import mock

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from aioappsapi import Client, PasswordGrant
from aioappsapi.sandbox import Faults, Sandbox, SandboxThread

ROOT = Path(__file__).parent.parent
_TIMEOUT = 60


class Page:
    """A page, its folder, its sandbox and the programs that its blocks start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._runner = asyncio.Runner()
        self._groups: list[int] = []
        self._ports = {f"808{n}": _free_port() for n in range(3)}
        parsers = {
            "python": self._python,
            "sh": self._shell,
            "toml": _parse_toml,
            "json": _parse_json,
        }
        blocks = [CodeBlockParser(language, run) for language, run in parsers.items()]
        self._document = Sybil([SkipParser(), *blocks]).parse(path)

    def run(self) -> int:
        """Run all blocks and return how many there were; a block that fails raises."""
        ran = 0
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.callback(self._end)
            self._cloud = stack.enter_context(SandboxThread(_cloud()))
            login = {"CF_API": self._cloud.url, "CF_USERNAME": "admin", "CF_PASSWORD": "admin"}
            stack.enter_context(mock.patch.dict(os.environ, login))
            stack.enter_context(chdir(self._folder))
            self._runner.run(self._open())
            for example in self._document:
                with suppress(unittest.SkipTest):
                    example.evaluate()
                    ran += 1
        return ran

    async def _open(self) -> None:
        auth = PasswordGrant("admin", "admin")
        self._client = await Client(self._cloud.url, auth=auth, proxy="").open()
        guids = list(self._cloud.apps)
        names = {"client": self._client, "cloud": self._cloud, "guids": guids, "guid": guids[0]}
        self._document.namespace.update(names)

    def _end(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _python(self, example: Example) -> None:
        source = "\n" * example.line + self._source(example)
        if "def test_" in source:
            self._test(source, example)
            return
        code = compile(source, example.path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, example.namespace)
        if inspect.iscoroutine(result):
            try:
                self._runner.run(asyncio.wait_for(result, _TIMEOUT))
            except TimeoutError as late:
                where = f"{self.path.name}:{example.line}"
                raise AssertionError(f"{where} takes more than {_TIMEOUT} s") from late

    def _source(self, example: Example) -> str:
        return re.sub(r"\b808\d\b", lambda found: self._ports[found[0]], str(example.parsed))

    def _test(self, source: str, example: Example) -> None:
        file = self._folder / f"test_line_{example.line}.py"
        file.write_text(source, encoding="utf-8")
        command = f"{sys.executable} -m pytest -q -p no:cacheprovider -p no:randomly {file.name}"
        self._call(command, example)

    def _shell(self, example: Example) -> None:
        source = self._source(example)
        before = "if [ -f .env.sh ]; then . ./.env.sh; fi\nset -euo pipefail\n"
        self._call(f"{before}{source}\nexport -p > .env.sh\n", example)

    def _call(self, script: str, example: Example) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with tempfile.TemporaryFile("w+") as output:
            started = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self._folder,
                env={**os.environ, "PATH": path, "HOME": str(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._groups.append(started.pid)
            status = started.wait(_TIMEOUT)
            output.seek(0)
            where = f"{self.path.name}:{example.line}"
            named = re.search(r"# exit status (\d+)", example.parsed)
            expected = int(named[1]) if named else 0
            assert status == expected, f"{where} ended with {status}:\n{output.read()}"


def _cloud() -> Sandbox:
    """Make the platform of the pages: two organizations, and apps that come up quickly."""
    cloud = Sandbox(6, faults=Faults(startup=0.05))
    acme = next(one for one in cloud.spaces.values() if one.name == "prod")
    for name in ("web", "web-shop", "web-api", "batch-night", "worker"):
        cloud.add_app(name, space=acme, labels={"env": "prod"}, state="STARTED")
    return cloud


def _parse_toml(example: Example) -> None:
    tomllib.loads(str(example.parsed))


def _parse_json(example: Example) -> None:
    json.loads(str(example.parsed))


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])
