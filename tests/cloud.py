"""A small platform without a network; its instances use the event loop's clock.

What each app's instances do after a start is written down beforehand, so that with a virtual clock
any story can be told in no time: `Cloud(Planned("a", web(after=3)))`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aioappsapi import RetryPolicy
from aioappsapi.api.apps import Apps
from aioappsapi.bulk import Bulk
from tests.replay import AT_ONCE, Answer, Seen, Wire, app_json, refusal, reply

# What an instance does: from so many seconds after the start it is in that state.
Life = Sequence[tuple[float, str]]
# Answers a request instead of the platform; None leaves it to the platform.
Meddler = Callable[[Seen], Answer | BaseException | None]

NOT_FOUND = refusal(404, "CF-ResourceNotFound", 10010, "App not found")
RUNNER = refusal(503, "CF-RunnerUnavailable", 170015, "Runner is unavailable")
NO_EMBED = refusal(
    400,
    "CF-BadQueryParameter",
    10005,
    "The query parameter is invalid: Unknown query parameter(s): 'embed'. "
    "Valid parameters are: 'page', 'per_page'",
)


def now() -> float:
    return asyncio.get_running_loop().time()


def up(after: float) -> Life:
    return ((0.0, "STARTING"), (after, "RUNNING"))


CRASHING: Life = ((0.0, "STARTING"), (2.0, "CRASHED"))


@dataclass
class Kind:
    """A process: what each of its instances does after a start."""

    lives: list[Life]
    type: str = "web"
    wanted: int | None = None
    details: str | None = None
    routable_after: float = 0.0
    memory: int = 64
    number: int = 0

    @property
    def instances(self) -> int:
        return len(self.lives) if self.wanted is None else self.wanted


def web(*lives: Life, after: float = 1.5, count: int = 1, **fields: Any) -> Kind:
    return Kind(list(lives) or [up(after)] * count, **fields)


@dataclass
class Planned:
    """An app. `answers` are the first ones to its actions, before the platform's own.

    A `lost` one is told of the runner's absence though the state is written down; its instances
    come `repaired_after` seconds later, or never. After a restart the instances of before go on for
    `lingers` seconds, and only then the new ones start. `done` counts what was carried out, or may
    have been.
    """

    guid: str
    processes: list[Kind] = field(default_factory=lambda: [web()])
    state: str = "STOPPED"
    space: str = "space-1"
    answers: list[Answer | BaseException] = field(default_factory=list)
    lost: int = 0
    repaired_after: float | None = None
    shutdown: float = 1.0
    lingers: float = 0.0
    done: int = 0
    before: float | None = None
    began: float | None = None
    ended: float | None = None


class Cloud:
    """The platform. `embeds` is whether it embeds instances: yes, ``refused`` or ``ignored``."""

    def __init__(self, *apps: Planned | str, latency: float = 0.0, embeds: str = "yes") -> None:
        planned = [Planned(one) if isinstance(one, str) else one for one in apps]
        self.apps = {one.guid: one for one in planned}
        self.latency = latency
        self.embeds = embeds
        self.meddlers: list[Meddler] = []
        self.times: list[tuple[float, Seen]] = []
        self.wire = Wire(self._answer)

    @property
    def seen(self) -> list[Seen]:
        return self.wire.seen

    def apps_on(self, retry: RetryPolicy = AT_ONCE) -> Apps:
        return Apps(self.wire.caller(retry=retry))

    def bulk(self, retry: RetryPolicy = AT_ONCE) -> Bulk:
        return Bulk(self.wire.caller(retry=retry), target="http://cc.test", ceiling=200)

    def count(self, method: str, part: str) -> int:
        return sum(seen.method == method and part in seen.target for seen in self.seen)

    def at(self, seconds: float, change: Callable[[Planned], None], guid: str) -> None:
        """Change an app so many seconds from now."""
        asyncio.get_running_loop().call_later(seconds, lambda: change(self.apps[guid]))

    def forget(self, guid: str, seconds: float) -> None:
        """Delete an app so many seconds from now."""
        asyncio.get_running_loop().call_later(seconds, lambda: self.apps.pop(guid))

    # -- answers

    async def _answer(self, seen: Seen) -> Answer:
        self.times.append((now(), seen))
        await asyncio.sleep(self.latency)
        for meddler in self.meddlers:
            if (answer := meddler(seen)) is not None:
                if isinstance(answer, BaseException):
                    raise answer
                return answer
        parts = seen.path.strip("/").split("/")[1:]
        query = {
            name: values[0] for name, values in parse_qs(seen.target.partition("?")[2]).items()
        }
        if seen.method == "POST":
            return self._act(parts[1], parts[3])
        if parts[0] == "audit_events":
            return self._crash_events(query)
        if parts[0] == "processes":
            return self._stats(parts[1]) if len(parts) > 1 else self._processes(query)
        if len(parts) == 1:
            guids = query["guids"].split(",")
            return _page([self._shown(self.apps[one]) for one in guids if one in self.apps])
        return reply(self._shown(self.apps[parts[1]])) if parts[1] in self.apps else NOT_FOUND

    def _crash_events(self, query: dict[str, str]) -> Answer:
        app = self.apps.get(query["target_guids"])
        found = [kind.details for kind in app.processes if kind.details] if app else []
        return _page(
            [
                {"guid": f"event-{n}", "type": query["types"], "data": {"exit_description": text}}
                for n, text in enumerate(found)
            ]
        )

    def _shown(self, app: Planned) -> dict[str, object]:
        space = {"space": {"data": {"guid": app.space}}}
        return app_json(app.guid, state=app.state, relationships=space)

    def _act(self, guid: str, action: str) -> Answer:
        app = self.apps.get(guid)
        if app is None:
            return NOT_FOUND
        if app.answers:
            answer = app.answers.pop(0)
            refused = isinstance(answer, Answer) and 400 <= answer.status < 500
            app.done += not refused
            if isinstance(answer, BaseException):
                raise answer
            return answer
        app.done += 1
        wanted = "STOPPED" if action == "stop" else "STARTED"
        if app.lost:
            app.lost -= 1
            set_state(app, wanted, delay=app.repaired_after)
            return RUNNER
        if action == "restart" or app.state != wanted:
            app.before = app.began
            set_state(app, wanted, delay=app.lingers if action == "restart" else 0.0)
        return reply(self._shown(app))

    def _processes(self, query: dict[str, str]) -> Answer:
        embeds = "embed" in query
        if embeds and self.embeds == "refused":
            return NO_EMBED
        guids = [guid for guid in query["app_guids"].split(",") if guid in self.apps]
        of_apps = [(self.apps[guid], kind) for guid in guids for kind in self.apps[guid].processes]
        embeds = embeds and self.embeds == "yes"
        return _page([self._process(app, kind, embeds=embeds) for app, kind in of_apps])

    def _process(self, app: Planned, kind: Kind, *, embeds: bool) -> dict[str, object]:
        shown: dict[str, object] = {
            "guid": _guid(app, kind),
            "type": kind.type,
            "instances": kind.instances,
            "memory_in_mb": kind.memory,
            "relationships": {"app": {"data": {"guid": app.guid}}},
        }
        if embeds:
            states = enumerate(states_of(app, kind))
            shown["process_instances"] = [
                {"index": index, "state": state, "since": int(since)}
                for index, (state, since) in states
            ]
        return shown

    def _stats(self, guid: str) -> Answer:
        for app in self.apps.values():
            for kind in app.processes:
                if _guid(app, kind) == guid:
                    return reply({"resources": [_stat(kind, *one) for one in _numbered(app, kind)]})
        return refusal(404, "CF-ResourceNotFound", 10010, "Process not found")


def set_state(app: Planned, state: str, *, delay: float | None = 0.0) -> None:
    """Start or stop an app; its instances follow after a delay, or never where that is None."""
    app.state = state
    moment = None if delay is None else now() + delay
    if state == "STARTED":
        app.began, app.ended = moment, None
    else:
        app.ended = moment


def states_of(app: Planned, kind: Kind) -> list[tuple[str, float]]:
    """Say how the instances are, and for how many seconds they have been so."""
    if app.ended is not None and now() >= app.ended:
        gone = now() - app.ended - app.shutdown
        if app.began is None or gone >= 0:
            return [("DOWN", max(gone, 0.0))] * kind.instances
        return [("STOPPING", now() - app.ended)] * kind.instances
    began = app.began
    if began is not None and now() < began and app.before is not None:
        began = app.before
    if began is None or now() < began:
        return [("DOWN", 0.0)] * kind.instances
    return [_moment(life, now() - began) for life in kind.lives[: kind.instances]]


def _moment(life: Life, elapsed: float) -> tuple[str, float]:
    at, state = next((step for step in reversed(life) if step[0] <= elapsed), (0.0, "DOWN"))
    return state, elapsed - at


def _numbered(app: Planned, kind: Kind) -> list[tuple[int, str, float]]:
    return [(index, *one) for index, one in enumerate(states_of(app, kind))]


def _stat(kind: Kind, index: int, state: str, since: float) -> dict[str, object]:
    return {
        "type": kind.type,
        "index": index,
        "state": state,
        "uptime": int(since),
        "routable": state == "RUNNING" and since >= kind.routable_after,
        # Of a crashed instance the real server's stats say nothing.
        "details": kind.details if state == "DOWN" else None,
    }


def _guid(app: Planned, kind: Kind) -> str:
    return (
        app.guid
        if kind.type == "web" and not kind.number
        else f"{app.guid}-{kind.type}{kind.number}"
    )


def _page(resources: list[dict[str, object]]) -> Answer:
    count = {"total_results": len(resources), "total_pages": 1}
    return reply({"pagination": {**count, "next": None}, "resources": resources})
