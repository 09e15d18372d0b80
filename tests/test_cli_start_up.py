"""Help and version are fast, because they import little."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each of these costs more than all of the command line's own start.
HEAVY = ("aiohttp", "tenacity", "anyio", "msgspec", "jinja2", "aioappsapi.client")

LOADED = """
import contextlib, io, sys
from aioappsapi.cli.program import run
with contextlib.redirect_stdout(io.StringIO()) as shown:
    assert run(sys.argv[1:]) == 0
assert shown.getvalue()
print(*sorted(sys.modules))
"""


@pytest.mark.parametrize(
    "words",
    [["--help"], ["start", "--help"], ["apps", "list", "-h"], ["restore", "-h"], ["sandbox", "-h"]],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True
    )
    assert set(HEAVY) & set(done.stdout.split()) == set()


def test_the_version_imports_no_parser() -> None:
    code = "import sys; from aioappsapi.cli import main; sys.argv[1:] = ['--version']\n"
    code += "try: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, modules = done.stdout.splitlines()
    assert version.startswith("aioappsapi ")
    assert {"cyclopts", "rich", *HEAVY} & set(modules.split()) == set()
