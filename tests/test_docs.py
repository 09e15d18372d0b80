"""The README and the docs: their blocks run, their links lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sybil")

from tests.blocks import ROOT, Page

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_BLOCKS = [page for page in PAGES if "```python" in (text := page.read_text()) or "```sh" in text]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=_name)
def test_every_block_runs(page: Path) -> None:
    assert Page(page).run() > 0
