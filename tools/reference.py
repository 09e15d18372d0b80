"""Writes the generated parts of the docs and the stub of the models: ``python -m tools.reference``.

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` on any page. A test checks
that every part is what this module makes of the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from cyclopts import App

from aioappsapi import AppsApiError, errors
from aioappsapi.bulk.reports.advice import ADVICE
from aioappsapi.cli.commands import app
from aioappsapi.cli.exits import MEANINGS, PRECEDENCE
from tools import models_stub, operations, permissions

DOCS: Final = Path(__file__).parent.parent / "docs"
_PART: Final = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """Return the text of a page with all generated parts made anew."""
    return _PART.sub(lambda part: f"{part[1]}\n{_PARTS[part[2]]()}\n{part[3]}", page)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _exit_statuses() -> str:
    rows = ((str(status.value), text) for status, text in MEANINGS.items())
    order = ", ".join(str(status.value) for status in PRECEDENCE)
    table = _table(("status", "meaning"), rows)
    return f"{table}\nIf several apply, the first of these counts: {order}.\n"


def _causes() -> str:
    rows = dict.fromkeys((advice.cause, advice.action) for advice in ADVICE)
    return _table(("cause", "what to do"), rows)


def _errors() -> str:
    rows = []
    for cls in _error_classes(AppsApiError):
        meaning = re.split(r"\n\s*\n", inspect.getdoc(cls) or "")[0].replace("\n", " ")
        rows.append((f"`{cls.__name__}`", meaning, _advice(cls)))
    return _table(("class", "when", "what to do"), rows)


def _error_classes(cls: type[AppsApiError]) -> Iterator[type[AppsApiError]]:
    for one in cls.__subclasses__():
        if one.__module__ == errors.__name__:
            yield one
            yield from _error_classes(one)


def _advice(cls: type[AppsApiError]) -> str:
    """Return the advice for a class whatever its text, or a link to the causes."""
    rows = [advice for advice in ADVICE if cls in advice.errors]
    general = [advice.action for advice in rows if not advice.titles and not advice.detail]
    if len(rows) > 1:
        return "depends on the [cause](#causes)"
    return general[0] if general else ""


def _commands() -> str:
    return "\n".join(_command(path, one) for path, one in _walk(app, ("aioappsapi",)))


def _walk(parent: App, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], App]]:
    for name in parent:
        if name not in {"--help", "-h", "--version"}:
            child = parent[name]
            yield (*path, name), child
            yield from _walk(child, (*path, name))


def _command(path: tuple[str, ...], command: App) -> str:
    text = command.generate_docs(output_format="markdown", recursive=False)
    _, _, body = text.partition("```\n\n")
    usage = str(command.usage or f"Usage: {' '.join(path)} COMMAND").removeprefix("Usage: ")
    examples = _examples(str(command.help_epilogue or ""))
    return f"## {' '.join(path)}\n\n```text\n{usage}\n```\n\n{body.strip()}\n{examples}"


def _examples(epilogue: str) -> str:
    block = epilogue.partition("\n\n")[0].removeprefix("Examples:\n")
    lines = "\n".join(line.strip() for line in block.splitlines())
    return f"\n**Examples**:\n\n```text\n{lines}\n```\n"


_PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "causes": _causes,
    "commands": _commands,
    "errors": _errors,
    "exit-statuses": _exit_statuses,
    "operations": operations.table,
    "permissions": permissions.table,
}


def main() -> None:
    models_stub.STUB.write_text(models_stub.render(), encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        if (made := render(text)) != text:
            page.write_text(made, encoding="utf-8")
            print("written:", page.relative_to(DOCS))


if __name__ == "__main__":
    main()
