"""Bulk runs in virtual time against models of servers, with the real limiter.

No event loop and no connections: a run of 20,000 apps takes half a second.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from typing import Protocol

from aioappsapi._http.limits.concurrency import ConcurrencyLimiter, Ticket
from aioappsapi._http.limits.patience import Patience, tries_allowed

INSTANT = 0.001
START = "apps.start"
PAGE = "apps.list"
PROBE = "apps.get"


class Answer(Enum):
    """What a request comes to."""

    OK = auto()
    UNAVAILABLE = auto()
    TOO_MANY = auto()


@dataclass(frozen=True)
class Model:
    """A server, and the run that it meets.

    `workers` take `service` seconds each; what finds none free queues. Above `edge` in flight the
    server answers 503, and a `flaky` share of answers is 503 at any load. From `slower` on answers
    take twice as long. Between the two ends of `away` everything fails, between those of `third`
    two of three workers are gone, between those of `other` another client takes half of them.
    `rate` is a number of requests per window of so many seconds. `pages` is a share of calls that
    take twenty times as long. A share of `hung` calls takes two minutes. The first `bad_apps` never
    start, and none does while the server is `read_only`; reads succeed all the same.
    """

    apps: int = 20_000
    workers: float = inf
    service: float = 0.05
    noise: float = 0.3
    edge: float = inf
    flaky: float = 0.0
    slower: float = inf
    away: tuple[float, float] = (inf, inf)
    read_only: tuple[float, float] = (inf, inf)
    third: tuple[float, float] = (inf, inf)
    other: tuple[float, float] = (inf, inf)
    rate: tuple[int, float] | None = None
    pages: float = 0.0
    hung: float = 0.0
    bad_apps: int = 0
    fails_after: float = INSTANT
    begin_at: int = 20
    attempts: int = 5
    best_level: int = 200


class Server:
    """A model that answers requests."""

    def __init__(self, model: Model, rng: random.Random) -> None:
        self.model = model
        self.rng = rng
        self.active = 0
        self._free = [0.0] * int(model.workers) if model.workers < inf else []
        self._window, self._spent = -1, 0
        self._other_at, self._thinned = model.other[0], False

    def answer(self, now: float, operation: str, app: int) -> tuple[float, Answer]:
        """Return when the answer comes, and what it is."""
        model = self.model
        if self._is_over_rate(now):
            return now + INSTANT, Answer.TOO_MANY
        if model.away[0] <= now < model.away[1] or self.active > model.edge:
            return now + model.fails_after * (0.5 + self.rng.random()), Answer.UNAVAILABLE
        bad = operation == START and app < model.bad_apps
        bad = bad or (operation == START and model.read_only[0] <= now < model.read_only[1])
        failed = bad or (model.flaky and self.rng.random() < model.flaky)
        return self._serve(now, operation), Answer.UNAVAILABLE if failed else Answer.OK

    def window_ends(self, now: float) -> float:
        assert self.model.rate is not None
        width = self.model.rate[1]
        return (int(now / width) + 1) * width

    def _is_over_rate(self, now: float) -> bool:
        if self.model.rate is None:
            return False
        count, width = self.model.rate
        if int(now / width) != self._window:
            self._window, self._spent = int(now / width), 0
        self._spent += 1
        return self._spent > count

    def _serve(self, now: float, operation: str = START) -> float:
        model = self.model
        seconds = model.service * (2 if now >= model.slower else 1)
        seconds *= self.rng.lognormvariate(-(model.noise**2) / 2, model.noise)
        if operation == PAGE:
            seconds *= 20
        if model.hung and self.rng.random() < model.hung:
            return now + 120.0
        if not self._free:
            return now + seconds
        self._disturb(now)
        return self._take_worker(now, seconds)

    def _take_worker(self, now: float, seconds: float) -> float:
        end = max(now, self._free[0]) + seconds
        heapq.heapreplace(self._free, end)
        return end

    def _disturb(self, now: float) -> None:
        model = self.model
        if now >= model.third[0] and not self._thinned:
            self._thinned = True
            self._free.sort()
            for index in range(len(self._free) * 2 // 3):
                self._free[index] = model.third[1]
            heapq.heapify(self._free)
        half = len(self._free) / model.service / 2
        while self._other_at < min(now, model.other[1]):
            self._take_worker(self._other_at, model.service)
            self._other_at += self.rng.expovariate(half)


class Limit(Protocol):
    """What the simulation needs of a limiter."""

    in_flight: int

    @property
    def limit(self) -> int: ...
    @property
    def usual_failures(self) -> float: ...
    def in_outage(self, *, write: bool) -> bool: ...
    def outage_shows_at(self, *, write: bool) -> float: ...
    def allows(self, now: float, *, write: bool) -> bool: ...
    def wake_at(self, *, write: bool) -> float: ...
    def start(self, now: float, operation: str, *, write: bool) -> Ticket: ...
    def succeeded(self, now: float, ticket: Ticket) -> None: ...
    def failed(self, now: float, ticket: Ticket) -> bool: ...
    def discarded(self, now: float, ticket: Ticket) -> None: ...


class FixedLimit:
    """Always the same number in flight: what the limiter is compared with."""

    usual_failures = 0.999

    def __init__(self, level: int) -> None:
        self.limit = level
        self.in_flight = 0

    def in_outage(self, *, write: bool) -> bool:
        return False

    def outage_shows_at(self, *, write: bool) -> float:
        return -inf

    def allows(self, now: float, *, write: bool) -> bool:
        return self.in_flight < self.limit

    def wake_at(self, *, write: bool) -> float:
        return inf

    def start(self, now: float, operation: str, *, write: bool) -> Ticket:
        self.in_flight += 1
        return Ticket(operation, now, self.in_flight, 0, write=write, full=True, probe=False)

    def succeeded(self, now: float, ticket: Ticket) -> None:
        self.in_flight -= 1

    def failed(self, now: float, ticket: Ticket) -> bool:
        self.in_flight -= 1
        return False

    def discarded(self, now: float, ticket: Ticket) -> None:
        self.in_flight -= 1


@dataclass
class App:
    """One app of the run."""

    number: int
    failures: int = 0  # those that count
    has_failed: bool = False


@dataclass
class Result:
    """What became of a run."""

    apps: int
    done_at: list[float] = field(default_factory=list)
    latencies: list[tuple[float, float]] = field(default_factory=list)  # of starts: sent, seconds
    levels: list[tuple[float, int]] = field(default_factory=list)
    sent: int = 0
    sent_away: int = 0
    failures: int = 0
    lost: int = 0
    ended_at: float = 0.0
    reason: str | None = None

    @property
    def not_attempted(self) -> int:
        return self.apps - len(self.done_at) - self.lost

    @property
    def failed_share(self) -> float:
        return self.failures / max(self.sent, 1)

    def pace(self) -> float:
        """Successes per second, without the first 10 s of a long run, and without its tail."""
        most = self.done_at[int(len(self.done_at) * 0.98)]
        begin = 10.0 if most > 20.0 else 0.0
        return sum(most >= at > begin for at in self.done_at) / max(most - begin, 1e-9)

    def p99(self, after: float = 0.0) -> float:
        seconds = sorted(took for sent, took in self.latencies if sent >= after)
        return seconds[int(len(seconds) * 0.99)]

    def first_after(self, moment: float) -> float:
        return next(at for at in self.done_at if at >= moment) - moment


class Run:
    """A bulk run: a queue of apps, sent as the limiter allows."""

    def __init__(self, limit: Limit, model: Model, seed: int) -> None:
        self.limit = limit
        self.model = model
        self.rng = random.Random(seed)
        self.server = Server(model, self.rng)
        self.patience = Patience()
        self.queue = deque(App(number) for number in range(model.apps))
        self.result = Result(model.apps)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._sequence = 0
        self._gate = 0.0
        self._wake = -1.0

    def finish(self) -> Result:
        """Carry the run out to its end."""
        now = 0.0
        while True:
            if self.patience.gives_up(now):
                self.result.reason = self.patience.reason
                self.result.ended_at = now
                if not self.limit.in_flight:
                    break
            else:
                self._send_all(now)
                self._wake_later(now)
            if not self._events:
                break
            now, _, event = heapq.heappop(self._events)
            event(now)
        return self.result

    def _at(self, when: float, event: Callable[[float], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, event))

    def _send_all(self, now: float) -> None:
        while self.queue and now >= self._gate and self.limit.allows(now, write=True):
            if self.limit.in_outage(write=True) and all(app.has_failed for app in self.queue):
                self._send(now, self.queue[0], PROBE)
            elif self.model.pages and self.rng.random() < self.model.pages:
                self._send(now, self.queue[0], PAGE)
            else:
                self._send(now, self.queue.popleft(), START)

    def _wake_later(self, now: float) -> None:
        wake = self.limit.wake_at(write=True)
        wake = max(self._gate, wake if wake < inf else 0.0)
        if self.queue and wake > now and wake != self._wake:
            self._wake = wake
            self._at(wake, lambda _: None)

    def _send(self, now: float, app: App, operation: str) -> None:
        server, result = self.server, self.result
        server.active += 1
        result.sent += 1
        result.sent_away += self.model.away[0] <= now < self.model.away[1]
        result.levels.append((now, self.limit.limit))
        end, answer = server.answer(now, operation, app.number)
        ticket = self.limit.start(now, operation, write=operation != PAGE)
        self._at(end, lambda then: self._ended(then, app, ticket, answer))

    def _ended(self, now: float, app: App, ticket: Ticket, answer: Answer) -> None:
        self.server.active -= 1
        self.result.ended_at = now
        start = ticket.operation == START
        if answer is Answer.OK:
            self.limit.succeeded(now, ticket)
            if start:
                self.patience.succeeded()
                self.result.done_at.append(now)
                self.result.latencies.append((ticket.sent_at, now - ticket.sent_at))
        elif answer is Answer.TOO_MANY:
            self.limit.discarded(now, ticket)
            self._gate = max(self._gate, self.server.window_ends(now) + 0.05 * self.rng.random())
            if start:
                self.queue.appendleft(app)
        else:
            self._failed(now, app, ticket, start=start)

    def _failed(self, now: float, app: App, ticket: Ticket, *, start: bool) -> None:
        self.result.failures += 1
        in_outage = self.limit.failed(now, ticket)
        if not start:
            return
        app.has_failed = True
        self.patience.failed(now)
        if in_outage:
            self.queue.append(app)
            return
        app.failures += 1
        pause = self.rng.uniform(0.0, min(0.5 * 2.0 ** (app.failures - 1), 15.0))
        allowed = tries_allowed(self.model.attempts, self.limit.usual_failures)
        if app.failures >= allowed:
            shows_at = self.limit.outage_shows_at(write=True)
            if shows_at == -inf or app.failures >= allowed + 2:
                self.result.lost += 1
                return
            pause = max(self.rng.uniform(0.0, 0.5), shows_at - now)
        self._at(now + pause, lambda _: self.queue.append(app))


def simulate(model: Model, seed: int, *, ceiling: int = 200) -> Result:
    """Run the limiter against a model."""
    return Run(ConcurrencyLimiter(ceiling, start=model.begin_at), model, seed).finish()


def best_fixed(model: Model) -> Result:
    """Run the best fixed level against a model."""
    return Run(FixedLimit(model.best_level), model, 91).finish()


_KNEE = {"workers": 20, "service": 0.05}
MODELS = {
    "1 ms": Model(service=0.001),
    "200 ms": Model(service=0.2),
    "200 ms, 2,000 apps": Model(apps=2_000, service=0.2),
    "knee at 20": Model(workers=20, best_level=20),
    "knee at 20, entered at 1": Model(workers=20, best_level=20, begin_at=1),
    "knee at 20, entered at 200": Model(workers=20, best_level=20, begin_at=200),
    "knee at 20, 2,000 apps": Model(apps=2_000, workers=20, best_level=20),
    "503 above 60": Model(edge=60, best_level=60),
    "503 above 60, entered at 200": Model(edge=60, best_level=60, begin_at=200),
    "503 above 60, after 50 ms": Model(edge=60, best_level=60, fails_after=0.05),
    "503 above 30": Model(edge=30, service=0.02, best_level=30),
    "503 above 30, 2,000 apps": Model(apps=2_000, edge=30, service=0.02, best_level=30),
    "15 % 503": Model(flaky=0.15),
    "15 % 503, knee at 20": Model(apps=10_000, flaky=0.15, workers=20, best_level=20),
    "5 % 503": Model(flaky=0.05, service=0.2),
    "40 % 503": Model(apps=10_000, flaky=0.4),
    "latency doubles": Model(service=0.2, slower=12.0),
    "62 per second": Model(apps=2_000, workers=10, service=0.16, best_level=10),
    "away 8 s": Model(workers=20, away=(12, 20), best_level=20),
    "away 30 s": Model(workers=20, away=(12, 42), best_level=20),
    "away 8 s, 200 ms": Model(service=0.2, away=(5, 13)),
    "away 4 s": Model(workers=20, away=(12, 16), best_level=20),
    "away 20 s, fails after 5 s": Model(workers=20, away=(12, 32), fails_after=5.0, best_level=50),
    "a third for 15 s": Model(workers=21, third=(12, 27), best_level=22),
    "another client": Model(apps=10_000, workers=20, other=(12, 30), best_level=18),
    "500 per 20 s": Model(apps=2_000, workers=20, rate=(500, 20.0), best_level=12),
    "knee at 20, noise 0.8": Model(workers=20, noise=0.8, best_level=20),
    "200 ms, noise 0.8": Model(service=0.2, noise=0.8),
    "knee at 20, 2 % pages": Model(workers=20, pages=0.02, best_level=20),
    "200 ms, 10 % pages": Model(service=0.2, pages=0.1),
    "200 ms, 0.1 % hang": Model(service=0.2, hung=0.001),
}
EDGES = [name for name, model in MODELS.items() if model.edge < inf]
OUTAGES = [name for name, model in MODELS.items() if model.away[0] < inf]
GONE = {
    "nothing but 503, 200 apps": Model(apps=200, away=(0, inf)),
    "nothing but 503, 20,000 apps": Model(away=(0, inf)),
}
# Apps that never succeed, on a server that is well.
APPS_AT_FAULT = {
    "30 good apps and a bad one": Model(apps=31, bad_apps=1, workers=20),
    "15 bad apps alone": Model(apps=15, bad_apps=15, workers=20),
    "970 good apps and 30 bad ones": Model(apps=1_000, bad_apps=30, workers=20),
}
