"""Every recording about apps and what is around them, asked of the sandbox.

The sandbox agrees with a recording if status, errors, the keys at every level and the headers of
interest are the recorded ones. What does not agree is listed with its reason, and the list is
checked as well.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from yarl import URL

from aioappsapi.sandbox import Sandbox

from .sandbox_caller import Caller
from .sandbox_world import GUID, RECORDINGS, WorldOf

SCOPE = {
    "audit-events",
    "auth",
    "builds",
    "clear-buildpack-cache",
    "cli-warning",
    "create-app",
    "db-down",
    "delete-app",
    "delete-app-recursive",
    "deployments",
    "diego-down",
    "domains",
    "droplets",
    "fs3",
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
    "list-apps",
    "misc",
    "organizations",
    "packages",
    "processes",
    "rate-limit",
    "rate-limit-service-broker",
    "rate-limit-v2",
    "restart-app",
    "revisions",
    "roles",
    "root",
    "routes",
    "service-brokers",
    "service-credential-bindings",
    "service-instances",
    "service-offerings",
    "service-plans",
    "set-current-droplet",
    "sidecars",
    "spaces",
    "stack-state",
    "start-app",
    "stop-app",
    "tasks",
    "update-app",
    "update-app-feature",
    "update-environment-variables",
    "users",
}
FLOOR = 0.98
EXCEPTIONS: dict[str, str] = {
    "rate-limit-v2__info": "its operator put a member of their own below `custom`",
}
# Their members are named by users, not by the API.
NAMED_BY_USERS = {"labels", "annotations", "var", "environment_variables", "processes"}
# Nothing of these is made up, so that the values are the recorded ones as well, but for these.
VALUED = {
    "audit-events",
    "domains",
    "roles",
    "routes",
    "service-brokers",
    "service-credential-bindings",
    "service-instances",
    "service-offerings",
    "service-plans",
    "sidecars",
    "users",
}
NOT_VALUED = {"created_at", "updated_at", "href", "total_results", "total_pages", "guid"}
INTERESTING = ("location", "x-cf-warnings", "retry-after", "content-type", "vary")
FAMILIES = ("x-ratelimit-", "x-b3-", "access-control-")
INVALID = {"expired", "bad_signature", "wrong_audience", "wrong_issuer"}


def shape(value: Any, name: str = "") -> Any:
    """The keys at every level in their order."""
    if isinstance(value, dict):
        keys = sorted(value) if name in NAMED_BY_USERS else list(value)
        return [(key, shape(value[key], key)) for key in keys]
    return [shape(item) for item in value] if isinstance(value, list) else None


def differences(ours: Any, theirs: Any) -> str:
    """Where the shapes differ; lists are compared by what is in both."""
    if type(ours) is not type(theirs):
        return f"{ours!r:.60} instead of {theirs!r:.60}"
    if isinstance(theirs, dict):
        return "" if shape(ours) == shape(theirs) else _first_difference(ours, theirs)
    return ""


def _first_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    if sorted(ours) != sorted(theirs) or list(ours) != list(theirs):
        return f"keys {list(ours)} instead of {list(theirs)}"
    for key, value in theirs.items():
        found = _compared(ours[key], value, key)
        if found:
            return f"{key}: {found}"
    return ""


def _compared(ours: Any, theirs: Any, key: str) -> str:
    if isinstance(theirs, list) and isinstance(ours, list):
        if bool(ours) != bool(theirs):
            return f"{len(ours)} elements instead of {len(theirs)}"
        return next((d for d in (_compared(o, t, key) for o, t in _pairs(ours, theirs)) if d), "")
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if key in NAMED_BY_USERS:
            return "" if set(ours) == set(theirs) else f"{set(ours)} instead of {set(theirs)}"
        return _first_difference(ours, theirs)
    if isinstance(theirs, dict) or isinstance(ours, dict):
        return f"{ours!r:.60} instead of {theirs!r:.60}"
    return ""


def other_values(ours: Any, theirs: Any, key: str = "") -> str:
    """Where the values differ, among resources that both show."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        pairs = [(ours[name], value, name) for name, value in theirs.items()]
    elif isinstance(theirs, list) and isinstance(ours, list):
        pairs = [(o, t, key) for o, t in (_pairs(ours, theirs) if ours and theirs else [])]
    else:
        same = key in NOT_VALUED or ours == theirs
        return "" if same else f"{key}: {ours!r} instead of {theirs!r}"
    return next((found for pair in pairs if (found := other_values(*pair))), "")


def _pairs(ours: list[Any], theirs: list[Any]) -> list[tuple[Any, Any]]:
    """Resources with the same GUID; where none has one, by position if there are as many."""
    known = {row["guid"]: row for row in theirs if isinstance(row, dict) and "guid" in row}
    if not known:
        same = len(ours) == len(theirs)
        return list(zip(ours, theirs, strict=True)) if same else [(ours[0], theirs[0])]
    common = [(row, known[row["guid"]]) for row in ours if row["guid"] in known]
    return common or [(dict.fromkeys(ours[0]), dict.fromkeys(theirs[0]))]


def headers_of_interest(headers: dict[str, str]) -> dict[str, str]:
    """The headers that are compared; of some only that they are there."""
    kept = {}
    for name, value in headers.items():
        if name == "location":
            kept[name] = GUID.sub("<guid>", URL(value).path)
        elif name == "retry-after" or name.startswith("x-ratelimit-reset"):
            kept[name] = "some"
        elif name in INTERESTING or name.startswith(FAMILIES):
            kept[name] = value
    return kept


class Question:
    """One recording, and what the sandbox says to it."""

    def __init__(self, recording: dict[str, Any], session: aiohttp.ClientSession) -> None:
        self.world = WorldOf(recording)
        self.request = recording["request"]
        self.truth = recording["response"]
        self.session = session
        self.valued = recording["name"].partition("__")[0] in VALUED

    async def disagreement(self) -> str:
        async with self.world.build() as sandbox:
            headers = await self._headers(sandbox)
            url = URL(sandbox.url + self.request["target"], encoded=True)
            async with self.session.request(
                self.request["method"],
                url,
                headers=headers,
                data=self._body(),
                skip_auto_headers=("Accept", "User-Agent", "Content-Type", "Accept-Encoding"),
            ) as response:
                text = (await response.read()).decode("utf-8", "replace")
                ours = {name.lower(): value for name, value in response.headers.items()}
                return self._compare(response.status, text, ours)

    def _body(self) -> bytes | None:
        body = self.request["body"]
        if body is None:
            return None
        if body.endswith("bytes>"):
            return b"--x\r\n\r\n--x--\r\n"
        return str(body).replace("\\ufffd", "\ufffd").encode().replace(b"\xef\xbf\xbd", b"\xff")

    async def _headers(self, sandbox: Sandbox) -> dict[str, str]:
        headers = dict(self.request["headers"])
        given = headers.get("Authorization", "")
        if "<TOKEN>" in given and not given.startswith("Basic"):
            token = "a.b.c" if self.world.kind in INVALID else await self._token(sandbox)
            headers["Authorization"] = given.replace("<TOKEN>", token)
        return headers

    async def _token(self, sandbox: Sandbox) -> str:
        name = self.world.kind or "developer"
        caller = Caller(sandbox, self.session)
        status, fields = await caller.token(grant_type="password", username=name, password=name)
        assert status == 200, fields
        kind = "refresh_token" if name == "refresh_token" else "access_token"
        return str(fields[kind])

    def _compare(self, status: int, text: str, headers: dict[str, str]) -> str:
        if status != self.truth["status"]:
            return f"{status} instead of {self.truth['status']}: {text[:200]}"
        theirs = headers_of_interest(dict(self.truth["headers"]))
        ours = headers_of_interest(headers)
        if ours != theirs:
            odd = dict(ours.items() ^ theirs.items())
            return f"headers {odd}: {ours} instead of {theirs}"
        return self._compare_bodies(text, self.truth["body"] or "")

    def _compare_bodies(self, ours: str, theirs: str) -> str:
        try:
            truth = json.loads(theirs)
        except ValueError:
            if theirs.startswith("PK"):
                return "" if ours.startswith("PK") else "no archive"
            # A crash shows where the real server's files lie; a manifest is compared as a whole.
            length = None if theirs.startswith("---") else 60
            same = ours[:length] == theirs[:length]
            return "" if same else f"{ours[:length]!r} instead of {theirs[:length]!r}"
        value = json.loads(ours)
        if isinstance(truth, dict) and "errors" in truth and "guid" not in truth:
            plain = [GUID.sub("<guid>", json.dumps(v)) for v in (value, truth)]
            return "" if plain[0] == plain[1] else f"{plain[0]} instead of {plain[1]}"
        found = differences(value, truth)
        return found or (other_values(value, truth) if self.valued else "")


async def ask_all() -> dict[str, str]:
    """What the sandbox says otherwise, by recording; empty where it agrees."""
    found = {}
    async with aiohttp.ClientSession() as session:
        for path in sorted(RECORDINGS.glob("*.json")):
            if path.name.partition("__")[0] in SCOPE:
                recording = json.loads(path.read_text())
                found[path.stem] = await Question(recording, session).disagreement()
    return found


async def test_the_sandbox_says_what_was_recorded() -> None:
    found = await ask_all()
    wrong = {name: why for name, why in found.items() if why}
    share = 1 - len(wrong) / len(found)
    print(f"agree {len(found) - len(wrong)} of {len(found)} ({share:.1%})")
    unexpected = {name: why for name, why in wrong.items() if name not in EXCEPTIONS}
    assert unexpected == {}
    assert share >= FLOOR
    assert [name for name in EXCEPTIONS if not found.get(name)] == []


if __name__ == "__main__":
    for name, why in asyncio.run(ask_all()).items():
        if why:
            print(f"{name}\n    {why}")
