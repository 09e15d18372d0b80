"""Lists of the API, page by page.

Source: https://v3-apidocs.cloudfoundry.org/#pagination
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, Generic
from urllib.parse import parse_qsl, urlsplit

import anyio
import msgspec
from typing_extensions import TypeVar

from aioappsapi._http.call import Caller, within
from aioappsapi._http.message import Query, Request
from aioappsapi._http.protocol import Operation, with_query
from aioappsapi.api.large_pages import fetch_page
from aioappsapi.errors import BadRequestError, DeadlineError, DecodeError
from aioappsapi.models.app import App
from aioappsapi.models.base import Resource, Struct
from aioappsapi.models.page import Page

# `Pager` alone means `Pager[App]`.
R = TypeVar("R", bound=Struct, default=App)

_PATH: Final = re.compile(r"/[!-~]*")
# Far more than any list has. It ends a list if the server counts no pages and never stops.
_MOST_PAGES: Final = 10_000


class Pager(Generic[R]):
    """A list that is fetched while you read it: the next page is fetched in the background.

    Iterate over it for the resources, over `pages()` for whole pages; `all()` and `first()` are
    shorthands. Each iteration sends new requests. Long lists of GUIDs or names are sent in several
    requests, and each resource comes once; an order then holds within each request. Raises the
    errors of the requests, and DecodeError for a next page that repeats one, or follows the last
    or an empty page, or is no page.
    """

    def __init__(
        self,
        caller: Caller,
        operation: Operation[Page[R]],
        queries: Sequence[Query] = ({},),
        *,
        path: Sequence[str] = (),
    ) -> None:
        """Make a list of `operation`; `path` has the arguments of its path, such as a GUID.

        Each of the `queries` is a list of its own; no query at all is an empty list.
        """
        self._caller = caller
        self._operation = operation
        self._queries = queries
        self._path = path

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
                    yield page if seen is None else _unseen(page, seen)

    async def all(self, *, deadline: float | None = None) -> list[R]:
        """Fetch everything into one list. Raises DeadlineError after `deadline` seconds."""
        everything = self._all()
        if deadline is None:
            return await everything
        return await within(deadline, everything, self._operation.name)

    async def first(self, *, deadline: float | None = None) -> R | None:
        """Fetch the first resource, or None of an empty list. Requests a page of one.

        Raises DeadlineError after `deadline` seconds.
        """
        first = self._first()
        if deadline is None:
            return await first
        return await within(deadline, first, self._operation.name)

    async def _all(self) -> list[R]:
        everything: list[R] = []
        async for page in self.pages():
            everything += page.resources
        return everything

    async def _first(self) -> R | None:
        for query in self._queries:
            page = await self._fetch(self._request({**query, "per_page": "1"}))
            if page.resources:
                return page.resources[0]
        return None

    def _request(self, query: Query) -> Request:
        return self._operation.build(*self._path, query=query)

    async def _pages_of(self, query: Query) -> AsyncGenerator[Page[R], None]:
        request: Request | None = self._request(query)
        links = _Links(self._caller.base_url)
        ahead = self._fetch_ahead(self._request(query))
        try:
            while request is not None:
                page = await ahead
                request = links.follow(request, page)
                if request is not None:
                    ahead = self._fetch_ahead(request)
                yield page
        finally:
            if not ahead.done():
                ahead.cancel()
                await asyncio.wait([ahead])
            elif not ahead.cancelled():
                ahead.exception()  # an abandoned page may have failed

    def _fetch_ahead(self, request: Request) -> asyncio.Task[Page[R]]:
        # A task is outside of the reader's cancel scopes, so it gets their deadline.
        page = self._fetch_until(request, anyio.current_effective_deadline())
        return asyncio.create_task(page, name=f"aioappsapi {request}")

    async def _fetch_until(self, request: Request, deadline: float) -> Page[R]:
        with anyio.CancelScope(deadline=deadline):
            return await self._fetch(request)
        raise DeadlineError(f"{request}: the deadline came first.")

    async def _fetch(self, request: Request) -> Page[R]:
        return await fetch_page(self._caller, self._operation, request)


class FallbackPager(Pager[R], ABC):
    """A list with an optional parameter, which works with servers that do not know it.

    `parameter` is sent until the server refuses it as unknown, or ignores it. After that the pages
    are fetched without it, and `_complete` fetches the missing data separately.
    """

    parameter = ""

    async def _fetch(self, request: Request) -> Page[R]:
        features = self._caller.features
        if not any(self.parameter in query for query in self._queries):
            return await super()._fetch(request)
        if features.has(self.parameter):
            try:
                page = await super()._fetch(request)
            except BadRequestError as refusal:
                if not features.learn_from_refusal(self.parameter, refusal):
                    raise
            else:
                if self._is_complete(page):
                    return page
                features.remember_missing(self.parameter)
        return await self._complete(await super()._fetch(_without(request, self.parameter)))

    def _is_complete(self, page: Page[R]) -> bool:
        """Check whether the server used the parameter, rather than ignored it."""
        del page
        return True

    @abstractmethod
    async def _complete(self, page: Page[R]) -> Page[R]:
        """Fetch separately the data that the parameter would have added."""


class _Links:
    """Follows the links of one list from page to page, and refuses broken links."""

    def __init__(self, base_url: str) -> None:
        self._prefix = urlsplit(base_url).path
        self._read = 0
        self._paths: set[str] = set()

    def follow(self, request: Request, page: Page[R]) -> Request | None:
        """Return the request of the next page, None after the last one. Raises DecodeError."""
        link = page.pagination.next
        if link is None:
            return None
        self._read += 1
        self._paths.add(request.path)
        path = self._path_of(link.href)
        if path is None or path in self._paths:
            raise _lost(request, link.href, "leads nowhere new")
        # However many pages the server announces: without apps on them, the list would not end.
        if not page.resources:
            raise _lost(request, link.href, "follows an empty page")
        # The server counts the pages, so a link beyond the last page would be endless.
        if self._read >= (page.pagination.total_pages or _MOST_PAGES):
            raise _lost(request, link.href, f"follows page {self._read}, which is the last one")
        return msgspec.structs.replace(request, path=path)

    def _path_of(self, href: str) -> str | None:
        # Only the path counts: a link may name another host, and the token is for ours.
        try:
            parts = urlsplit(href)
        except ValueError:
            return None
        path = parts.path.removeprefix(self._prefix) if self._prefix else parts.path
        # Without the slash, the rest would be read as a part of our host's name.
        path = "/" + path.removeprefix("/")
        path = f"{path}?{parts.query}" if parts.query else path
        return path if _PATH.fullmatch(path) else None


def _lost(request: Request, href: str, why: str) -> DecodeError:
    return DecodeError(
        f"{request}: the server's link to the next page {why}.",
        status=200,
        method=request.method,
        url=href,
    )


def _without(request: Request, parameter: str) -> Request:
    parts = urlsplit(request.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.pop(parameter, None)
    return msgspec.structs.replace(request, path=with_query(parts.path, query))


def _unseen(page: Page[R], seen: set[str]) -> Page[R]:
    # Only lists by GUID or name take several requests, and their resources have GUIDs.
    fresh = [one for one in page.resources if isinstance(one, Resource) and one.guid not in seen]
    seen.update(one.guid for one in fresh)
    return msgspec.structs.replace(page, resources=fresh)
