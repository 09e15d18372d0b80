"""Rules for the whole package: its exports, and its imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct, structs

import aioappsapi
from aioappsapi import models

ROOT = Path(aioappsapi.__file__).parent
NAME = "aioappsapi"

RANKS = {
    "models": 0,
    "errors": 0,
    "config": 0,
    "_version": 0,
    "_headers": 0,
    "auth": 1,
    "_http": 2,
    "waiting": 3,
    "api": 4,
    "bulk": 5,
    "client": 6,
    "telemetry": 6,
    "fleet": 7,
    "__init__": 8,
    "cli": 9,
    "__main__": 10,
}
# Beside the ranks: they stand in for a server, and help others' tests.
ASIDE = {"sandbox", "pytest_plugin"}
MAY_USE_SANDBOX = {"cli", "pytest_plugin", "sandbox"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = list(path.relative_to(ROOT.parent).with_suffix("").parts)
        if parts[-1] == "__init__" and len(parts) > 2:
            parts.pop()
        yield ".".join(parts), path


MODULES = dict(modules())


def part(module: str) -> str:
    """Name the part of the package that a module belongs to, e.g. `_http`."""
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else "__init__"


class _Imports(ast.NodeVisitor):
    """Collects what is imported when it runs, at the top or later; not what is for types only."""

    def __init__(self, package: str) -> None:
        self.package = package.split(".")
        self.found: list[str] = []

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)
            return
        for other in node.orelse:
            self.visit(other)

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            above = self.package[: len(self.package) - node.level + 1]
            module = ".".join([*above, *filter(None, [module])])
        for alias in node.names:
            inner = f"{module}.{alias.name}"
            self.found.append(inner if inner in MODULES else module)


def imports_of(path: Path, kind: type[_Imports] = _Imports) -> list[str]:
    visitor = kind(".".join(path.relative_to(ROOT.parent).parent.parts))
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    return visitor.found


def ours(module: str) -> bool:
    return module == NAME or module.startswith(f"{NAME}.")


def test_every_public_name_of_the_stub_exists() -> None:
    names = aioappsapi.__all__

    assert 60 <= len(names) <= 80, "models belong to aioappsapi.models"
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(aioappsapi, name) is not None, name
    assert set(names) <= set(dir(aioappsapi))
    with pytest.raises(AttributeError, match="Nothing"):
        _ = aioappsapi.Nothing  # type: ignore[attr-defined]


def test_the_types_of_all_fields_of_public_models_are_public() -> None:
    public = {getattr(models, name) for name in models.__all__}
    shown = [model for model in public if _is_model(model)]
    used = {
        one for model in shown for field in structs.fields(model) for one in _classes_in(field.type)
    }

    assert {one.__name__ for one in used - public if _is_model(one)} == set()


def _is_model(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, Struct)


def _classes_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for inner in get_args(annotation):
        yield from _classes_in(inner)


def test_the_version_is_the_same_everywhere() -> None:
    assert aioappsapi.__version__.count(".") == 2
    assert all(piece.isdecimal() for piece in aioappsapi.__version__.split(".")[:2])


def test_every_module_has_a_rank() -> None:
    unknown = {part(module) for module in MODULES} - set(RANKS) - ASIDE

    assert not unknown, f"say in RANKS where they belong: {unknown}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_only_go_down(module: str) -> None:
    here = part(module)
    if here in ASIDE:
        return
    for imported in filter(ours, imports_of(MODULES[module])):
        there = part(imported)
        if there == "sandbox":
            continue
        assert RANKS[there] <= RANKS[here], f"{module} imports {imported}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_sandbox_shares_no_code_with_the_client(module: str) -> None:
    """A wrong path in the client must not pass because the sandbox uses the same one."""
    for imported in filter(ours, imports_of(MODULES[module])):
        if part(module) == "sandbox":
            assert part(imported) == "sandbox", f"{module} imports {imported}"
        if part(imported) == "sandbox":
            assert part(module) in MAY_USE_SANDBOX, f"{module} imports {imported}"


def test_the_errors_import_no_module_of_the_package() -> None:
    tree = ast.parse(MODULES[f"{NAME}.errors"].read_text(encoding="utf-8"))
    froms = [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    assert not any(map(ours, froms))


def test_only_the_transport_touches_the_network_library() -> None:
    users = {
        module
        for module, path in MODULES.items()
        if any(one.split(".")[0] == "aiohttp" for one in imports_of(path))
        and part(module) not in ASIDE
    }

    assert users == {f"{NAME}._http.transport", f"{NAME}._http.stamped_request"}


def test_the_protocol_and_the_models_do_no_input_or_output() -> None:
    forbidden = {"asyncio", "anyio", "socket", "ssl", "aiohttp", "tenacity"}
    for module, path in MODULES.items():
        if part(module) == "models" or module == f"{NAME}._http.protocol":
            used = {one.split(".")[0] for one in imports_of(path)}
            assert not used & forbidden, module


class _TopImports(_Imports):
    """Collects only what is imported when the module itself is."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None: ...

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None: ...


def test_every_module_can_be_the_first_to_be_imported() -> None:
    """Without a circle of imports, each order of them is a right one."""
    graph = {
        module: {one for one in imports_of(path, _TopImports) if one in MODULES}
        for module, path in MODULES.items()
    }
    assert sum(map(len, graph.values())) > len(MODULES)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        (
            "import aioappsapi",
            ("aiohttp", "msgspec", "tenacity", "anyio", "aioappsapi.errors", "aioappsapi.models"),
        ),
        (
            "from aioappsapi import Client",
            ("cyclopts", "rich", "jinja2", "opentelemetry", "aioappsapi.sandbox", "aioappsapi.cli"),
        ),
        ("import aioappsapi.sandbox.__main__", ("msgspec", "tenacity", "aioappsapi.client")),
        ("import aioappsapi.pytest_plugin", ("aiohttp", "aioappsapi.client", "aioappsapi.sandbox")),
    ],
)
def test_an_import_loads_only_the_modules_it_needs(code: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys; {code}; print([m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )

    assert done.stdout.strip() == "[]"


def test_modules_import_each_other_in_one_direction_even_for_types() -> None:
    mine = {name for name, path in MODULES.items() if path.stem != "__init__"}
    uses = {name: _uses(MODULES[name]) & mine - {name} for name in mine}
    while free := [name for name, used in uses.items() if not used]:
        for name in free:
            del uses[name]
        uses = {name: used - set(free) for name, used in uses.items()}

    assert not uses, f"these are part of a circle, or above one: {sorted(uses)}"


def _uses(path: Path) -> set[str]:
    """Everything that a module imports from this package, including imports for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    pairs = [(str(node.module), alias.name) for node in froms for alias in node.names]
    return {
        f"{module}.{name}" if f"{module}.{name}" in MODULES else module for module, name in pairs
    }
