"""Lists of the API, page by page.

Source: https://v3-apidocs.cloudfoundry.org/#pagination
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import anyio
import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.message import Query, Request
from aioappsapi._http.protocol import Operation, quoted
from aioappsapi.errors import DeadlineError, DecodeError, InvalidInputError
from aioappsapi.models.base import Resource
from aioappsapi.models.page import Page

R = TypeVar("R", bound=Resource)

# The server refuses a query above 10,240 bytes, and proxies in front of it may stop at 8 K.
_LONGEST_VALUES: Final = 7_600
_MOST_VALUES: Final = 200
_LARGEST_PAGE: Final = 5_000


class Pager(Generic[R]):
    """A list that is fetched as it is read, each page while the one before is worked on.

    Iterate over it for the resources, over `pages()` for whole pages; `all()` and `first()` are
    shorthands. Each iteration asks anew. Long lists of GUIDs or names are sent in several requests,
    and each resource is given once; an order then holds within each of them. Raises what the
    requests do, and DecodeError for a link to the next page that leads in a circle.
    """

    def __init__(
        self,
        caller: Caller,
        operation: Operation[Page[R]],
        queries: Sequence[Query],
    ) -> None:
        self._caller = caller
        self._operation = operation
        self._queries = queries

    async def __aiter__(self) -> AsyncGenerator[R, None]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for resource in page.resources:
                    yield resource

    async def pages(self) -> AsyncGenerator[Page[R], None]:
        """Iterate over whole pages: `resources`, `included` and `pagination`."""
        seen: set[str] | None = set() if len(self._queries) > 1 else None
        for query in self._queries:
            async with aclosing(self._pages_of(query)) as pages:
                async for page in pages:
                    yield page if seen is None else _without(page, seen)

    async def _pages_of(self, query: Query) -> AsyncGenerator[Page[R], None]:
        first = self._operation.build(query=query)
        asked = {first.path}
        ahead = self._fetch(first)
        request: Request | None = first
        try:
            while request is not None:
                page = await ahead
                request = self._next(page, asked)
                if request is not None:
                    ahead = self._fetch(request)
                yield page
        finally:
            if not ahead.done():
                ahead.cancel()
                await asyncio.wait([ahead])
            elif not ahead.cancelled():
                ahead.exception()  # a page nobody asked for any more may have failed

    def _fetch(self, request: Request) -> asyncio.Task[Page[R]]:
        # A task is outside of the caller's scopes, and bound by their deadline all the same.
        page = self._fetch_until(request, anyio.current_effective_deadline())
        return asyncio.create_task(page, name=f"aioappsapi {request}")

    async def _fetch_until(self, request: Request, deadline: float) -> Page[R]:
        with anyio.CancelScope(deadline=deadline):
            return await self._fetch_now(request)
        raise DeadlineError(f"{request}: the deadline came first.")

    async def _fetch_now(self, request: Request) -> Page[R]:
        return await self._caller.run(request, self._operation.parse)

    def _next(self, page: Page[R], asked: set[str]) -> Request | None:
        link = page.pagination.next
        if link is None:
            return None
        path = self._path_of(link.href)
        if path is None or path in asked:
            raise DecodeError(
                f"{self._operation.name}: the link to the next page leads nowhere new.",
                status=200,
                method=self._operation.method,
                url=link.href,
            )
        asked.add(path)
        return msgspec.structs.replace(self._operation.build(), path=path)

    def _path_of(self, href: str) -> str | None:
        # Only the path counts: a link may name another host, and the token is for ours.
        try:
            parts = urlsplit(href)
        except ValueError:
            return None
        prefix = urlsplit(self._caller.base_url).path
        path = parts.path.removeprefix(prefix) if prefix else parts.path
        # Without the slash, what follows would be read as a part of our host's name.
        path = "/" + path.removeprefix("/")
        return f"{path}?{parts.query}" if parts.query else path

    async def all(self) -> list[R]:
        """Fetch everything into one list."""
        return [resource async for resource in self]

    async def first(self) -> R | None:
        """Fetch the first resource, or None of an empty list. Asks for a page of one."""
        for query in self._queries:
            request = self._operation.build(query={**query, "per_page": "1"})
            page = await self._fetch_now(request)
            if page.resources:
                return page.resources[0]
        return None


def _without(page: Page[R], seen: set[str]) -> Page[R]:
    fresh = [resource for resource in page.resources if resource.guid not in seen]
    seen.update(resource.guid for resource in fresh)
    return msgspec.structs.replace(page, resources=fresh)


def page_size(per_page: int | None) -> dict[str, str]:
    """Make the parameter for how many resources a page has. Raises InvalidInputError."""
    if per_page is None:
        return {}
    if isinstance(per_page, bool) or not 1 <= per_page <= _LARGEST_PAGE:
        raise InvalidInputError(f"per_page={per_page!r}: 1 to {_LARGEST_PAGE}.")
    return {"per_page": str(per_page)}


def comma_list(name: str, values: Sequence[str] | None) -> dict[str, str]:
    """Make a parameter of several values. Raises InvalidInputError for none, or a bare string."""
    if values is None:
        return {}
    _check_values(name, values)
    return {name: ",".join(values)}


def _check_values(name: str, values: Sequence[object]) -> None:
    if isinstance(values, str):
        raise InvalidInputError(f"{name}={values!r}: give a list, like [{values!r}].")
    if not all(isinstance(value, str) and value for value in values):
        raise InvalidInputError(f"{name} holds an empty value.")
    if with_comma := [value for value in values if "," in str(value)]:
        raise InvalidInputError(
            f"{name} holds {with_comma[0]!r}: the API separates values by commas, "
            "so it cannot be asked for one with a comma."
        )


def split_queries(query: Query, long: dict[str, Sequence[str] | None]) -> list[Query]:
    """Spread lists that are too long for one address over several requests.

    Several lists share the room of an address, the shortest first: what it leaves is for the
    others. An empty list selects nothing, so it makes no request at all.
    """
    given: list[tuple[str, list[str]]] = []
    for name, values in long.items():
        if values is not None:
            _check_values(name, values)
            given.append((name, list(dict.fromkeys(values))))
    given.sort(key=lambda item: sum(map(_size, item[1])))
    queries = [dict(query)]
    room = _LONGEST_VALUES
    for index, (name, distinct) in enumerate(given):
        chunks = list(_chunks(distinct, room // (len(given) - index)))
        room -= max((sum(map(_size, chunk)) for chunk in chunks), default=0)
        queries = [{**one, name: ",".join(chunk)} for one in queries for chunk in chunks]
    return list(queries)


def _chunks(values: list[str], room: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for value in values:
        if chunk and (len(chunk) == _MOST_VALUES or size + _size(value) > room):
            yield chunk
            chunk, size = [], 0
        chunk.append(value)
        size += _size(value)
    if chunk:
        yield chunk


def _size(value: str) -> int:
    """Say how many bytes a value and its comma take in an address."""
    return len(quoted(value)) + 1
