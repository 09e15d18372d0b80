"""The README and the docs: blocks run, generated parts are fresh, links and sentences are good."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import aioappsapi
from aioappsapi import Limits, RetryPolicy, Timeouts, Tls, errors, models
from tools import models_stub
from tools.blocks import ROOT, Page
from tools.reference import DOCS, render

ROOT_PAGES = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG")]
PAGES = [*ROOT_PAGES, *sorted(DOCS.rglob("*.md"))]
WITH_BLOCKS = [page for page in PAGES if re.search(r"```(python|sh)\n", page.read_text("utf-8"))]
LONGEST_SENTENCE = 28


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name)
def test_every_block_runs(page: Path) -> None:
    assert Page(page).run() > 0


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_generated_parts_are_made_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert render(text) == text, "run python -m tools.reference"


def test_the_stub_of_the_models_is_made_of_the_code() -> None:
    assert models_stub.STUB.read_text(encoding="utf-8") == models_stub.render()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_sentence_is_long(page: Path) -> None:
    prose = re.sub(
        r"<!-- generated.*?<!-- end -->|```.*?```", "", page.read_text(), flags=re.DOTALL
    )
    long = [one for one in sentences(prose) if len(one.split()) > LONGEST_SENTENCE]
    assert long == []


def sentences(text: str) -> Iterator[str]:
    """Split the prose of a page; a heading and an item of a list or a table end a sentence."""
    for line in text.splitlines():
        for cell in re.split(r" [|·] ", line):
            yield from re.split(r"(?<=[.!?:;])\**\s+", cell.strip(" |-*#"))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_page_is_in_the_menu() -> None:
    settings = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    menu = re.findall(r'"([\w/-]+\.md)"', settings)
    assert sorted(menu) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert max(len(paragraph.split()) for paragraph in paragraphs(text)) <= 60
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 8


def paragraphs(text: str) -> Iterator[str]:
    for block in re.sub(r"```.*?```", "", text, flags=re.DOTALL).split("\n\n"):
        yield from block.splitlines() if block.lstrip().startswith(("-", "|")) else [block]


def test_every_public_name_is_in_the_reference() -> None:
    pages = [page.read_text("utf-8") for page in (DOCS / "reference" / "python").glob("*.md")]
    named = {line.split(".")[-1] for line in "\n".join(pages).splitlines() if line[:3] == ":::"}
    named |= set(vars(errors)) | set(dir(models)) | {"errors", "models", "__version__"}
    assert set(dir(aioappsapi)) - named == set()


@pytest.mark.parametrize("settings", [Limits, Timeouts, RetryPolicy, Tls])
def test_the_settings_are_documented_with_their_defaults(settings: type[msgspec.Struct]) -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    for field in msgspec.structs.fields(settings):
        row = next(
            line for line in page.splitlines() if f"`{settings.__name__}.{field.name}`" in line
        )
        assert row.split(" | ")[1] == str(field.default)


def test_every_environment_variable_is_documented() -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    for module in (ROOT / "aioappsapi").rglob("*.py"):
        for variable in re.findall(r'environ(?:\.get\(|\[)"(\w+)"', module.read_text("utf-8")):
            assert f"`{variable}`" in page, f"{os.fspath(module)}: {variable}"
