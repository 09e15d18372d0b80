"""The stub of `aioappsapi.models`, generated from its modules: a model is public by its definition.

Public are the classes and types that a module defines, or those in its `__all__`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent.parent / "aioappsapi" / "models"
STUB: Final = FOLDER / "__init__.pyi"
# The bases of models are for this package only.
_BASES: Final = frozenset({"Resource", "Struct"})


def render() -> str:
    """Return the text of the stub."""
    return "".join(_export(path) for path in sorted(FOLDER.glob("[!_]*.py")))


def _export(path: Path) -> str:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [name for node in body for name in _listed(node)] or [
        name for node in body for name in _defined(node) if name not in _BASES
    ]
    lines = "".join(f"    {name} as {name},\n" for name in sorted(names))
    return f"from .{path.stem} import (\n{lines})\n"


def _listed(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        yield from ast.literal_eval(node.value)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
        yield ast.unparse(node.target)
