"""Large pages, decoded in parts so that the event loop keeps running.

A page of 5,000 apps has 10 MB and takes a twentieth of a second to decode. A thread would not help,
because the decoder holds the interpreter's lock. So a large page is first split into its
resources, which takes a sixth of that time. Then some hundred are decoded per turn of the loop.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Final, TypeVar, cast, get_args

import msgspec

from aioappsapi._http.call import Caller
from aioappsapi._http.message import Request, Response
from aioappsapi._http.protocol import Operation, successful
from aioappsapi._http.response_errors import decode_error
from aioappsapi.models.base import Pagination, Struct
from aioappsapi.models.page import Included, Page

R = TypeVar("R", bound=Struct)

_LARGE: Final = 1_000_000  # bytes: decoded in about 2 ms
_AT_A_TIME: Final = 200  # resources


class _SplitPage(Struct, frozen=True, kw_only=True, gc=False):
    """A page whose resources are not decoded yet."""

    pagination: Pagination
    resources: list[msgspec.Raw]
    included: Included = msgspec.field(default_factory=Included)


async def fetch_page(caller: Caller, operation: Operation[Page[R]], request: Request) -> Page[R]:
    """Fetch a page, and decode it in parts if it is large. Raises the errors of `Caller.run`."""

    def parse(request: Request, response: Response) -> Page[R] | Response:
        if len(response.body) < _LARGE:
            return operation.parse(request, response)
        return successful(request, response)

    page = await caller.run(request, parse)
    if isinstance(page, Page):
        return page
    return await _decode_in_parts(operation, request, page)


async def _decode_in_parts(
    operation: Operation[Page[R]], request: Request, response: Response
) -> Page[R]:
    await asyncio.sleep(0)  # the last part of the body has just arrived
    page = _split(operation).parse(request, response)
    try:
        resources = await _decode(page.resources, _decoder(operation))
    except (msgspec.DecodeError, ValueError, RecursionError) as cause:
        raise decode_error(request, response, cause) from None
    return Page(pagination=page.pagination, resources=resources, included=page.included)


async def _decode(parts: list[msgspec.Raw], decoder: msgspec.json.Decoder[R]) -> list[R]:
    decode = decoder.decode
    resources: list[R] = []
    for start in range(0, len(parts), _AT_A_TIME):
        await asyncio.sleep(0)
        resources += [decode(part) for part in parts[start : start + _AT_A_TIME]]
    return resources


@functools.cache
def _split(operation: Operation[Any]) -> Operation[_SplitPage]:  # Any: a cache is not generic
    return operation.read_as(_SplitPage)


@functools.cache
def _decoder(operation: Operation[Any]) -> msgspec.json.Decoder[Any]:
    [resource] = get_args(operation.result)
    return msgspec.json.Decoder(cast("type[Any]", resource))
