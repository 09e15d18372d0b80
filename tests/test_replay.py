"""Every recorded answer goes through the client, over a real socket, to the same values."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from aioappsapi import (
    BadRequestError,
    Client,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    ResponseError,
    ServerError,
    UnauthorizedError,
    UnprocessableError,
)
from aioappsapi._http.protocol import Operation
from aioappsapi.api import apps
from tests.replay import Recording, Seen, Server, always, lookup, recording, recordings

# A driver gives the coroutine that produces the recorded exchange, or None if none can.
Driver = Callable[[Client, Recording], Awaitable[object] | None]

CLASSES: dict[int, type[ResponseError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
}

# -- how each category is driven

_ACTION = re.compile(r"/v3/apps/([^/?]+)/actions/(start|stop|restart)")
_ONE_APP = re.compile(r"/v3/apps/([^/?]+)(?:\?include=([a-z.,]+))?")


def drive_action(client: Client, one: Recording) -> Awaitable[object] | None:
    found = _ACTION.fullmatch(one.target)
    if one.method != "POST" or found is None:
        return None
    return getattr(client.apps, found[2])(found[1])  # type: ignore[no-any-return]


def drive_get(client: Client, one: Recording) -> Awaitable[object] | None:
    if one.method != "GET":
        return None
    found = _ONE_APP.fullmatch(one.target)
    if found is None or (found[2] and one.status >= 400):
        return as_recorded(client, one, apps.GET)
    return client.apps.get(found[1], include=found[2].split(",") if found[2] else None)


def drive_list(client: Client, one: Recording) -> Awaitable[object] | None:
    if one.method != "GET":
        return None
    parameters = list_parameters(one.target)
    if parameters is None:
        return as_recorded(client, one, apps.LIST)
    # What the server refuses the client refuses too, unless it is told not to look.
    return first_page(client, parameters | {"validate": one.status < 400})


def as_recorded(client: Client, one: Recording, operation: Operation[Any]) -> Awaitable[object]:
    """Send the recorded target itself, where no parameter of a method makes it."""
    arguments = ["a"] * operation.path.count("{}")
    request = msgspec.structs.replace(operation.build(*arguments), path=one.target)
    return client._caller.run(request, operation.parse)


async def first_page(client: Client, parameters: dict[str, Any]) -> object:
    async with aclosing(client.apps.list(**parameters).pages()) as pages:
        return await anext(pages)


_LISTS = {"guids", "names", "space_guids", "organization_guids", "stacks", "include"}
_TEXTS = {"lifecycle_type", "label_selector", "order_by"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TIMES = re.compile(r"(created_ats|updated_ats)(?:\[([a-z]+)\])?")


def list_parameters(target: str) -> dict[str, Any] | None:
    """Read a recorded target as the arguments of `apps.list`, or None where it has no such ones."""
    parts = urlsplit(target)
    if parts.path != "/v3/apps" or "%zz" in parts.query or "%ff" in parts.query:
        return None
    parameters: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in _LISTS and (value or name == "stacks"):
            parameters[name] = value.split(",")
        elif name in _TEXTS:
            parameters[name] = value
        elif name in {"page", "per_page"} and value.isdigit():
            parameters[name] = int(value)
        elif (found := _TIMES.fullmatch(name)) and all(map(_TIME.fullmatch, value.split(","))):
            times = [datetime.fromisoformat(time) for time in value.split(",")]
            if found[2] and len(times) > 1:
                return None
            known = parameters.setdefault(found[1], {} if found[2] else times)
            if found[2]:
                known[found[2]] = times[0]
        else:
            return None
    return parameters


DRIVERS: dict[str, Driver] = {
    "get-app": drive_get,
    "list-apps": drive_list,
    "restart-app": drive_action,
    "start-app": drive_action,
    "stop-app": drive_action,
}

NOT_DRIVEN: dict[str, str] = {
    "list-apps__cors-preflight": "browsers ask this, the client does not",
    "list-apps__delete-collection-not-routed": "there is no such operation",
    "list-apps__head": "the client reads lists with GET",
    "list-apps__patch-collection-not-routed": "there is no such operation",
    "list-apps__put-not-routed": "there is no such operation",
    "restart-app__unknown-action": "there is no such operation",
    "start-app__get-not-routed": "there is no such operation",
    "start-app__revision-after-restart": "an operation on revisions",
}

ALL = recordings(*DRIVERS)
DRIVEN = [one for one in ALL if one.name not in NOT_DRIVEN]


# -- what comes out equals what was recorded


class Comparison:
    """Holds a typed value against the JSON that it was made of."""

    def __init__(self) -> None:
        self.compared = 0
        self.unknown: set[str] = set()

    def check(self, value: object, data: Any, where: str) -> None:
        if isinstance(value, msgspec.Struct):
            self._check_struct(value, data, where)
        elif isinstance(value, list):
            assert len(value) == len(data), where
            for index, (item, other) in enumerate(zip(value, data, strict=True)):
                self.check(item, other, f"{where}[{index}]")
        elif isinstance(value, dict):
            assert value.keys() == data.keys(), where
            for name, item in value.items():
                self.check(item, data[name], f"{where}.{name}")
        elif isinstance(value, datetime):
            self.compared += 1
            assert value == datetime.fromisoformat(data), where
        else:
            self.compared += 1
            assert value == data, where

    def _check_struct(self, value: msgspec.Struct, data: Any, where: str) -> None:
        assert isinstance(data, dict), where
        fields = {field.encode_name: field for field in msgspec.structs.fields(value)}
        self.unknown |= {f"{type(value).__name__}.{name}" for name in data.keys() - fields.keys()}
        for name, field in fields.items():
            mine = getattr(value, field.name)
            if name in data:
                self.check(mine, data[name], f"{where}.{name}")
            elif not name.startswith("included_"):
                assert mine == default_of(field), f"{where}.{name} is made up"


def default_of(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def check_error(error: ResponseError, one: Recording) -> None:
    assert type(error) is CLASSES[one.status]
    assert error.status == one.status
    said = [(e["code"], e["title"], e["detail"]) for e in errors_of(one)]
    assert [(e.code, e.title, e.detail) for e in error.errors] == said
    code, title, detail = said[0] if said else (None, None, None)
    assert (error.code, error.title, error.detail) == (code, title, detail)
    assert error.request_id == one.header("x-vcap-request-id")
    assert error.method == one.method
    kept = b"" if "environment_variables" in str(one.request) else one.text.encode()[:4096]
    assert error.body == kept
    assert "\n" not in str(error)
    assert (title or str(one.status)) in str(error)


def errors_of(one: Recording) -> list[dict[str, Any]]:
    """Read the server's errors; a few of its failures are plain text and hold none."""
    try:
        if "error_code" in one.json:  # the older form, outside of /v3
            old = one.json
            return [{"code": old["code"], "title": old["error_code"], "detail": old["description"]}]
        return list(one.json["errors"])
    except ValueError:
        assert not one.text.startswith(("{", "["))
        return []


def same_question(seen: Seen, one: Recording) -> bool:
    mine, recorded = urlsplit(seen.target), urlsplit(one.target)
    return (seen.method, mine.path) == (one.method, recorded.path) and sorted(
        parse_qsl(mine.query, keep_blank_values=True)
    ) == sorted(parse_qsl(recorded.query, keep_blank_values=True))


@pytest.mark.parametrize("one", DRIVEN, ids=lambda one: one.name)
async def test_each_recorded_answer_is_parsed_completely(one: Recording) -> None:
    async with Server(always(one)) as server, server.client() as client:
        work = DRIVERS[one.category](client, one)
        assert work is not None, "neither a way to drive it nor a reason why not"
        if one.status >= 300:
            with pytest.raises(ResponseError) as caught:
                await work
            check_error(caught.value, one)
        else:
            comparison = Comparison()
            comparison.check(await work, one.json, one.name)
            assert comparison.compared > 0
            # `include` on a single app is nothing that `apps.get` asks for.
            assert comparison.unknown <= {"App.included"}
    assert same_question(server.seen[0], one)
    assert server.seen[0].headers["Authorization"] == "bearer token"


def test_every_recording_is_driven_or_has_a_reason() -> None:
    counts = {c: sum(one.category == c for one in DRIVEN) for c in DRIVERS}
    print(f"driven: {counts}, {sum(counts.values())} in all; not driven: {len(NOT_DRIVEN)}")
    assert all(counts.values())
    assert NOT_DRIVEN.keys() <= {one.name for one in ALL}, "a reason for nothing"


async def test_each_reason_is_still_needed() -> None:
    async with Server(always(ALL[0])) as server, server.client() as client:
        drivable = [
            one.name
            for one in ALL
            if one.name in NOT_DRIVEN and DRIVERS[one.category](client, one) is not None
        ]
    assert drivable == []


def test_most_lists_go_through_the_public_parameters() -> None:
    lists = [one for one in DRIVEN if one.category == "list-apps"]
    assert sum(list_parameters(one.target) is not None for one in lists) > len(lists) / 2


async def test_the_replay_server_answers_by_method_and_target() -> None:
    start = recording("start-app__stopped-app")
    get = recording("get-app__docker")
    table = {(one.method, one.target): one for one in (start, get)}
    async with Server(lookup(table)) as server, server.client() as client:
        started = await client.apps.start(start.json["guid"])
        docker = await client.apps.get(get.json["guid"])
        with pytest.raises(NotFoundError):
            await client.apps.stop(get.json["guid"])
    assert started.name == start.json["name"]
    assert docker.lifecycle.type == "docker"
    assert [seen.method for seen in server.seen] == ["POST", "GET", "POST"]
