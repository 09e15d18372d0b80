"""Recorded sequences, sent to the sandbox in their order.

The order is the truth, not the seconds: a question is repeated while the clock goes on, until the
answer is the recorded one or a while has passed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import aiohttp
from yarl import URL

from aioappsapi.sandbox import Faults, Sandbox
from aioappsapi.sandbox.world.model import Process
from tests.sandbox_caller import Caller
from tests.sandbox_compare import disagreement
from tests.sandbox_evidence import GUID, Known
from tests.sandbox_recordings import HERE, Recording
from tests.sandbox_servers import Server
from tests.sandbox_world import Builder

# As on the recorded server: the updater's turn, the start of an instance, Diego's sync.
FAULTS = Faults(
    startup=2.0, startup_spread=0.0, deployment_interval=3.0, sync_interval=10.0, crash_backoff=60.0
)
_STEP = 0.25
_PATIENCE = 30.0


def _crash(sandbox: Sandbox) -> None:
    """All that start from now on crash, and those that run go on."""
    _look(sandbox)
    sandbox.faults = replace(sandbox.faults, crash=1.0)


def _heal(sandbox: Sandbox) -> None:
    sandbox.faults = replace(sandbox.faults, crash=0.0)


def _no_room(sandbox: Sandbox) -> None:
    _look(sandbox)
    sandbox.cells[0].memory_mb = 0


def _look(sandbox: Sandbox) -> None:
    """Let there be instances of all apps, as there are once somebody looks."""
    for app in sandbox.apps.values():
        for process in app.processes:
            sandbox.world.fleet.instances(app, process)


def _crash_first(sandbox: Sandbox) -> None:
    _crash_new(sandbox, 1)


def _crash_new(sandbox: Sandbox, count: int = 99) -> None:
    """The first of the new instances crash."""
    for deployment in sandbox.shelf.deployments.values():
        process = next((p for p in deployment.app.processes if p.guid == deployment.process), None)
        for instance in (process.live or [])[:count] if process is not None else []:
            sandbox.world.fleet._crash(instance, sandbox.world.clock())


def _restaged(sandbox: Sandbox) -> None:
    """The app had two instances and a worker without any, which no first step shows."""
    app = sandbox.apps["1c711147-b353-4723-8dc2-0ae0ab443643"]
    app.name, app.state = "seq-restage-20203", "STARTED"
    app.processes[0].instances = 2
    app.processes.append(Process(f"{app.guid[:-1]}9", "worker", 0))


# What happened to the server meanwhile, by sequence and step.
MEANWHILE: dict[tuple[str, int], Callable[[Sandbox], None]] = {
    ("restage-rolling", 0): _restaged,
    ("restage-while-started", 0): _restaged,
    ("restage-docker", 15): lambda sandbox: sandbox.flags.update(diego_docker=False),
    ("rolling-crash", 2): _crash,
    ("rolling-unplaceable", 2): _no_room,
    ("rolling-4-second-crashes", 7): _crash,
    ("rolling-4-second-crashes", 9): _crash_first,
    ("rolling-4-second-crashes", 11): _heal,
    ("rolling-4-second-crashes", 14): _crash_new,
    ("rolling-bbs-503", 9): lambda sandbox: setattr(sandbox, "diego", "bbs-503"),
    ("rolling-bbs-503", 11): lambda sandbox: setattr(sandbox, "diego", "up"),
}


async def told(response: aiohttp.ClientResponse, url: str) -> tuple[str, dict[str, str]]:
    """The body and the headers of an answer, with the recorded server's address in them."""
    text = (await response.read()).decode("utf-8", "replace").replace(url, HERE)
    headers = {n.lower(): value.replace(url, HERE) for n, value in response.headers.items()}
    return text, headers


def upload(recording: Recording) -> bytes:
    """A file of a few bytes, for recordings leave out what was uploaded."""
    kind = str(recording.request["headers"].get("Content-Type", ""))
    boundary = kind.partition("boundary=")[2] or "x"
    name = "droplet.tgz" if "droplets" in recording.parts else "app.zip"
    head = f'Content-Disposition: form-data; name="bits"; filename="{name}"'
    lines = [f"--{boundary}", head, "Content-Type: application/zip", "", "PK", f"--{boundary}--"]
    return "\r\n".join([*lines, ""]).encode()


class Sequence:
    """The recordings of one sequence, with the GUIDs of what the sandbox made instead."""

    def __init__(self, rows: list[Recording], known: Known, server: Server) -> None:
        self.rows = rows
        self.known = known
        self.now = 1_800_000_000.0
        self.renamed: dict[str, str] = {}
        self.builder = Builder(server, known, rows[0], clock=lambda: self.now)
        self.token = ""

    async def disagreements(self, session: aiohttp.ClientSession) -> dict[str, str]:
        """What differs, by recording; empty where it agrees."""
        before = [row for row in self.rows if row.at < 0.2 and row.method == "GET"]
        before = [row for row in before if self.rows.index(row) <= len(before)]
        sandbox = self.builder.build([one.json for one in before])
        sandbox.faults = FAULTS
        self._name_what_comes()
        found = {}
        async with sandbox:
            caller = Caller(sandbox, session)
            await self._log_in(caller)
            for number, row in enumerate(self.rows):
                happened = MEANWHILE.get((str(row.sequence), number))
                if happened is not None:
                    happened(sandbox)
                found[row.name] = await self._agree(caller, row)
        return found

    def _name_what_comes(self) -> None:
        """Make up the droplets and packages that later requests name."""
        first = self.builder.question
        for row in self.rows:
            self.builder.question = row
            self.builder.invent_bodies()
        self.builder.question = first

    async def _log_in(self, caller: Caller) -> None:
        kind = self.rows[0].caller or "developer"
        user = next(u for u in caller.sandbox.users.values() if u.password == kind)
        form = {"grant_type": "password", "username": user.name, "password": kind}
        _, fields = await caller.token(**form)  # type: ignore[arg-type]
        caller.headers["Authorization"] = f"bearer {fields['access_token']}"

    async def _agree(self, caller: Caller, row: Recording) -> str:
        began = self.now
        why = await self._ask(caller, row)
        first = why
        while why and row.method == "GET" and self.now < began + _PATIENCE:
            self.now += _STEP
            why = await self._ask(caller, row)
        if why:
            self.now = began + 0.5
        return first if why else ""

    async def _ask(self, caller: Caller, row: Recording) -> str:
        url = URL(caller.sandbox.url + self._ours(row.target), encoded=True)
        body = row.request["body"]
        data = None if body is None else self._ours(body).encode()
        if body is not None and body.endswith("bytes>"):
            data = upload(row)
        headers = dict(row.request["headers"])
        headers["Authorization"] = caller.headers["Authorization"]
        async with caller.session.request(row.method, url, data=data, headers=headers) as response:
            text, answered = await told(response, caller.sandbox.url)
            status = response.status
        if row.method == "POST" and status == row.status == 201:
            self._learn(json.loads(text), row.json)
        places = [found.get("location", "").rpartition("/")[2] for found in (answered, row.headers)]
        self._learn(*places)
        truth = replace(row, text=self._ours(row.text))
        found = disagreement(truth, self.known, status, text, answered) or _lengths(text, truth)
        if not found and text.startswith("{"):
            self._learn(json.loads(text), row.json)
        return found

    def _learn(self, ours: Any, theirs: Any) -> None:
        """Note which GUID of ours stands for which recorded one."""
        if isinstance(ours, str) and isinstance(theirs, str):
            if GUID.fullmatch(ours) and GUID.fullmatch(theirs) and ours != theirs:
                self.renamed.setdefault(theirs, ours)
        elif isinstance(ours, dict) and isinstance(theirs, dict):
            for key in ours.keys() & theirs.keys():
                self._learn(ours[key], theirs[key])
        elif isinstance(ours, list) and isinstance(theirs, list):
            for pair in zip(ours, theirs, strict=False):
                self._learn(*pair)

    def _ours(self, text: str) -> str:
        return GUID.sub(lambda found: self.renamed.get(found[0], found[0]), text)


def _lengths(text: str, truth: Recording) -> str:
    """In a sequence, every list is known as a whole, and the sizes are the point."""
    try:
        ours, theirs = json.loads(text or "null"), truth.json
    except ValueError:
        return ""
    shown = [list(_sizes(one)) for one in (ours, theirs)]
    return "" if shown[0] == shown[1] else f"{shown[0]} instead of {shown[1]}"


def _sizes(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict) and "resources" in value:
        for row in value["resources"]:
            instances = [one["state"] for one in row.get("process_instances", [])]
            names = ("type", "instances", "memory_in_mb", "state")
            yield (*(row.get(name) for name in names), tuple(instances))
    elif isinstance(value, dict) and "status" in value:
        yield value["status"]["value"], value["status"]["reason"], value["strategy"]
        yield (json.dumps(value.get("options")), json.dumps(value["status"].get("canary")))
    elif isinstance(value, dict) and "lifecycle" in value and "name" in value:
        yield (value["state"],)
