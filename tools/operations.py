"""The table of all operations, made from their records."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

from aioappsapi import api
from aioappsapi._http.protocol import Operation

_CLIENT_NAMES = {"AppParts": "apps", "AuditEvents": "audit_events", "FeatureFlags": "feature_flags"}


def table() -> str:
    """Make the table, sorted by method of the client."""
    rows = sorted(set(_rows()))
    lines = ["| method | endpoint | page |", "|---|---|---|"]
    lines += [f"| `client.{method}` | `{endpoint}` | {page} |" for method, endpoint, page in rows]
    return "\n".join(lines) + "\n"


def _rows() -> Iterator[tuple[str, str, str]]:
    for module in modules():
        for record, operation in vars(module).items():
            if isinstance(operation, Operation):
                yield from _rows_of(module, record, operation)


def _rows_of(
    module: ModuleType, record: str, operation: Operation[object]
) -> Iterator[tuple[str, str, str]]:
    found = False
    for class_name, cls in classes(module):
        for name, method in vars(cls).items():
            if name.startswith("_") or not inspect.isfunction(method):
                continue
            if re.search(rf"\b{record}[,)]", inspect.getsource(method)):
                found = True
                client_name = _CLIENT_NAMES.get(class_name, class_name.lower())
                endpoint = f"{operation.method} {operation.path.replace('{}', '…')}"
                yield f"{client_name}.{name}", endpoint, operation.source
    assert found, f"{module.__name__}.{record} is used by no public method"


def modules() -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(api.__path__):
        yield importlib.import_module(f"{api.__name__}.{info.name}")


def classes(module: ModuleType) -> list[tuple[str, type]]:
    return [
        (name, cls)
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and cls.__module__ == module.__name__ and not name.startswith("_")
    ]
