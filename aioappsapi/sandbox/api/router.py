"""The table of routes, from method and path to a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aioappsapi.sandbox.api.answer import Answer
from aioappsapi.sandbox.api.call import Call

Handler = Callable[..., Answer]
Routes = Mapping[str, Handler]
_ANY: Final = "*"


class Router:
    """Routes such as `GET apps/*/env`; the handler gets the parts that match a star."""

    def __init__(self, *tables: Routes) -> None:
        self._exact: dict[tuple[str, int, str], list[tuple[tuple[str, ...], Handler]]] = {}
        for table in tables:
            for route, handler in table.items():
                method, _, path = route.partition(" ")
                pattern = tuple(path.split("/"))
                self._exact.setdefault((method, len(pattern), pattern[0]), []).append(
                    (pattern, handler)
                )

    def match(self, call: Call) -> Callable[[], Answer] | None:
        """Return the handler of this request below /v3, or None without such a route."""
        parts = call.parts[1:]
        if not parts:
            return None
        for pattern, handler in self._exact.get((call.method, len(parts), parts[0]), ()):
            pairs = list(zip(pattern, parts, strict=True))
            if all(wanted in (_ANY, given) for wanted, given in pairs):
                stars = [given for wanted, given in pairs if wanted == _ANY]
                return lambda handler=handler, stars=stars: handler(call, *stars)  # type: ignore[misc]
        return None
