"""What the README promises is run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]


def test_the_first_example_runs_and_is_short() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXAMPLE], capture_output=True, text=True, check=True, timeout=60
    )
    counts = ast.literal_eval(done.stdout)
    assert counts["total"] == counts["ok"] > 0
    assert done.stderr == ""
    assert len([line for line in EXAMPLE.splitlines() if line]) <= 8


def test_every_linked_file_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (Path(__file__).parent.parent / target).exists()
