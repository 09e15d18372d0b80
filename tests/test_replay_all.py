"""All recordings of all categories, through the client over a real socket."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest

from aioappsapi import Client, Response, ResponseError, StaticToken
from aioappsapi.models import Job
from tests.drivers import drive, is_typed
from tests.replay import RECORDINGS, Recording, Seen, Server, always, recordings
from tests.test_replay import DRIVERS, Comparison, check_error

# These have a test of their own, with every filter of the list.
CATEGORIES = sorted({path.name.partition("__")[0] for path in RECORDINGS.glob("*.json")})
ALL = [one for one in recordings(*CATEGORIES) if one.category != "list-apps"]

# Their bodies may quote an app's environment, so errors keep neither body nor text.
SENSITIVE = {"get-env", "get-environment-variables", "update-environment-variables"}

# Categories that are about the twenty operations on apps and what the library needs beside them.
TYPED = [
    "clear-buildpack-cache",
    "create-app",
    "delete-app",
    "delete-app-recursive",
    "deployments",
    "diego-down",
    "get-app",
    "get-app-feature",
    "get-current-droplet",
    "get-current-droplet-association",
    "get-env",
    "get-environment-variables",
    "get-permissions",
    "get-ssh-enabled",
    "jobs",
    "list-app-features",
    "restart-app",
    "set-current-droplet",
    "start-app",
    "stop-app",
    "update-app",
    "update-app-feature",
    "update-environment-variables",
]

# What no typed method can produce, because its arguments or its checks leave no way to.
UNTYPED = {
    "create-app": "bodies that are no app: unknown fields, wrong types, broken JSON",
    "deployments": "a strategy that does not exist, metadata, other resources",
    "diego-down": "tasks, instances by type, scaling by type",
    "get-app": "spellings of the path, and an include that is refused before it is sent",
    "restart-app": "an action that does not exist",
    "set-current-droplet": "bodies without a droplet",
    "start-app": "other methods and bodies than those of a start, revisions",
    "update-app": "unknown fields, other methods",
    "update-app-feature": "values that are no bool",
    "update-environment-variables": "bodies that are no variables",
}


def data_of(one: Recording, value: object) -> Any:
    """Give the part of the recorded answer that a method returns."""
    if isinstance(value, Job) and not one.text:
        location = one.header("location") or ""
        return {"guid": location.rpartition("/")[2]}
    data = one.json
    return data["resources"] if isinstance(value, list) else data


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
async def test_each_recorded_answer_is_parsed_completely(one: Recording) -> None:
    async with Server(always(one)) as server, server.client() as client:
        if one.status >= 300:
            with pytest.raises(ResponseError) as caught:
                await drive(client, one)
            check_request(server.seen[0], one)
            check(caught.value, one)
            return
        value = await drive(client, one)
    check_request(server.seen[0], one)
    if isinstance(value, Response):
        assert value.body.decode() == one.text
    elif value is None:
        assert one.text == ""
    else:
        comparison = Comparison()
        comparison.check(value, data_of(one, value), one.name)
        assert comparison.unknown == set(), "a field of the server is not in the model"


def check_request(seen: Seen, one: Recording) -> None:
    """Hold what the client sent against what the recorder sent: path, query and body."""
    sent, recorded = urlsplit(seen.target), urlsplit(one.target)
    assert (seen.method, unquote(sent.path)) == (one.method, unquote(recorded.path))
    assert sorted(parse_qsl(sent.query, keep_blank_values=True)) == sorted(
        parse_qsl(recorded.query, keep_blank_values=True)
    )
    assert _json_or_text(seen.body.decode()) == _json_or_text(one.request["body"] or "")


def _json_or_text(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def check(error: ResponseError, one: Recording) -> None:
    if one.category in SENSITIVE and not error.body:
        assert error.status == one.status
        assert [msgspec.to_builtins(e) for e in error.errors] == [
            # A value that the server quotes is a secret.
            {**e, "detail": re.sub(r"value '.*'", "value '...'", e["detail"])}
            for e in one.json["errors"]
        ]
        assert (error.detail or "") not in str(error)
    else:
        check_error(error, one)


def test_every_recording_is_driven_most_of_them_by_a_typed_method() -> None:
    client = Client("https://api.example.org", auth=StaticToken("token"))
    typed = Counter(one.category for one in ALL if is_typed(client, one))
    whole = Counter(one.category for one in ALL)
    print(f"driven: {len(ALL)} recordings, {sum(typed.values())} of them by a typed method")
    short = {name for name in TYPED if typed[name] < whole[name]}
    assert short == UNTYPED.keys(), "a category that is not typed throughout, without a reason"
    assert len(ALL) + len(recordings("list-apps")) == len(list(RECORDINGS.glob("*.json")))
    assert "list-apps" in DRIVERS
