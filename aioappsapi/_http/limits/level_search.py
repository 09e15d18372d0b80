"""Search for the best number of requests in flight. No I/O, no clock.

The search is in one of three phases. It judges a phase when a window of answers is full.

growing   Each success that was sent at a full limit raises the level, fast at first. It stops
          where answers take longer than they do when nothing queues, and below a level that is
          remembered as bad.
cutting   More requests failed than the usual share explains. The level was lowered to see whether
          that helps. If it does, the old level is remembered as an edge. If it does not even at a
          quarter of the level, failures are natural: this share is usual from now on, and the old
          level is restored.
looking   The level is lowered from time to time, and when answers are slow. As long as answers get
          faster in about that proportion, requests had queued, and the level is lowered again.
          Where that stops nothing queues, and the latency there is the new baseline. If the first
          step does not help, slowness is natural, and the old level is restored.

Each change of the level begins a new generation. Answers to requests of an older generation say
nothing about the present level and are not counted. This replaces all cool-down times.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Final

from aioappsapi._http.limits.window import Window

# The growth per success: 2.5-fold per round trip at first, later a tenth.
_FAST_GROWTH: Final = 1.5
_SLOW_GROWTH: Final = 0.1
# Growth goes on up to this multiple of the unqueued latency: then about a third of the requests
# queue, so the server never runs dry. Above the second multiple the search looks downward. The
# two differ so that a level at the first does not look downward all the time.
_HEADROOM: Final = 1.4
_SLOW: Final = 1.8
# At a level that is remembered because requests queued, they no longer do below this multiple.
_FAST: Final = 1.1
# A request was sent at a full limit if this share of the limit was used.
_FULL: Final = 0.8
_LOOK_STEP: Final = 0.6
_LOOK_EVERY: Final = 20.0
# Requests on slow servers need longer for a round trip: wait for at least this many.
_LOOK_ROUND_TRIPS: Final = 20
_REST_AFTER_LOOK: Final = 2.0
_FIRST_LOOK: Final = 10.0
# A bad level is remembered for this time, and the search stays at this share of it.
_MEMORY: Final = 10.0
_KEEP: Final = 0.9
# A failed request lowers the level only if failures are this far above the usual ones.
_SIGMAS: Final = 4.0
_SPARE_FAILURES: Final = 2
_LEAST_SHARE: Final = 0.01
_LEARNING: Final = 0.2
# With fewer requests in flight, their number is not why they fail.
_LEAST_CUT: Final = 4
# Below this fraction of the level, failures that did not become fewer are natural.
_NATURAL_AT: Final = 1 / 4
# A share above this is never natural: most requests are wasted there.
_NEVER_NATURAL: Final = 0.5
# Successes that a window needs at least. The quick answers to new requests come first, so phases
# that compare two levels need twice the limit as well.
_WINDOW: Final = 20
_LOOK_WINDOW: Final = 60
_CUT_WINDOW: Final = 100


class _Bad:
    """A level that the search stays below for a while, and why."""

    __slots__ = ("count", "failures", "level", "queued", "until")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Allow growth at all levels again."""
        self.level = inf
        self.until = -inf
        self.queued = False
        self.failures = self.count = 0

    def remember(self, level: float, until: float, *, queued: bool) -> None:
        """Keep growth below a level until a time."""
        self.level = level
        self.until = until
        self.queued = queued

    def is_explained_by(self, usual_failures: float) -> bool:
        """Check whether the usual share of failures explains these failures by chance."""
        usual = self.count * usual_failures
        return self.failures <= usual + 3.0 * sqrt(usual * (1 - usual_failures)) + 1


class _Cut:
    """A trial whether failures become fewer with fewer requests."""

    __slots__ = ("count", "failed_share", "failures", "level")

    def __init__(self, level: float, failed_share: float) -> None:
        self.level = level
        self.failed_share = failed_share  # at that level
        self.failures = 0  # since then, at lower levels
        self.count = 0

    def add(self, window: Window) -> None:
        """Count the answers at a lower level."""
        self.failures += window.failures
        self.count += window.count

    def shows_nature(self, level: float) -> bool:
        """Check whether a much lower level has as many failures."""
        low = level <= max(self.level * _NATURAL_AT, 1.0)
        return low and self.failures < _NEVER_NATURAL * self.count


class _Look:
    """A trial whether answers become faster with fewer requests."""

    __slots__ = ("depth", "helped", "latency", "top")

    def __init__(self, top: float, window: Window, *, helped: bool) -> None:
        self.top = top  # the level before the first step
        self.depth = window.depth  # how many were in flight before this step, and how slow
        self.latency = window.latency
        self.helped = helped  # whether a step before made answers faster


class LevelSearch:
    """A level between 1 and a ceiling that follows what the server can take.

    Latencies are relative, see `RelativeLatency`. Times are in seconds of the caller's clock.
    """

    def __init__(self, ceiling: int, start: int) -> None:
        self._ceiling = float(ceiling)
        self.level = float(min(start, ceiling))
        self.generation = 0
        self.in_flight = 0  # after the latest start
        self.usual_failures = _LEAST_SHARE
        self._unqueued = inf  # latency where nothing queues; inf until it is known
        self._growth = _FAST_GROWTH
        self._bad = _Bad()
        self._cut: _Cut | None = None
        self._look: _Look | None = None
        self._look_at = inf
        self._rest_until = -inf
        self._begin_window(0.0)

    @property
    def level(self) -> float:
        """The level, of which `limit` is the whole number below, at least one.

        fast path: each request asks for the limit, and few of them change the level.
        """
        return self._level

    @level.setter
    def level(self, level: float) -> None:
        self._level = level
        self.limit = max(int(level), 1)
        self.full_from = _FULL * self.limit  # so many in flight use the limit fully

    # -- events

    def succeeded(self, now: float, latency: float, recent: float, depth: int, full: bool) -> None:
        """Count a success of the present generation; `recent` is a moving average of latency."""
        window = self._window
        window.add_success(latency, depth, full)
        if self._cut is None and self._look is None:
            if recent > _HEADROOM * self._unqueued:
                self._growth = _SLOW_GROWTH
            elif full and self._level < self._ceiling:
                self._grow(now)
        if window.successes >= self._needed:
            self._judge(now)

    def failed(self, now: float, depth: int) -> None:
        """Count a failure of the present generation."""
        self._window.add_failure(depth)
        if self._has_too_many_failures():
            self._lower(now)

    def restart(self, now: float, level: float) -> None:
        """Begin again at a level: the server was away, and is back."""
        self.level = min(level, self._ceiling)
        self._growth = _FAST_GROWTH
        self._cut = self._look = None
        self._bad.forget()
        self._look_at = now + _FIRST_LOOK
        self._change_generation(now)

    # -- growing

    def _grow(self, now: float) -> None:
        edge = self._bad.level if now < self._bad.until else inf
        self.level = max(self._level, min(self._level + self._growth, edge, self._ceiling))

    def _has_too_many_failures(self) -> bool:
        # A binomial distribution; the spare failures keep small windows from being hasty.
        usual = self._window.count * self.usual_failures
        deviation = sqrt(usual * (1 - self.usual_failures))
        return self._window.failures > usual + _SIGMAS * deviation + _SPARE_FAILURES

    # -- windows

    def _change_generation(self, now: float) -> None:
        self.generation += 1
        self._begin_window(now)

    def _begin_window(self, now: float) -> None:
        self._window = Window()
        self._window_began = now
        if self._cut is not None:
            self._needed = max(2 * self.limit, _CUT_WINDOW)
        elif self._look is not None:
            self._needed = max(2 * self.limit, _LOOK_WINDOW)
        else:
            self._needed = max(self.limit, _WINDOW)

    def _judge(self, now: float) -> None:
        if self._look is not None:
            self._judge_look(now, self._look)
        elif self._cut is not None:
            self._judge_cut(now, self._cut)
        else:
            self._judge_growth(now)

    def _judge_growth(self, now: float) -> None:
        latency = self._window.latency
        if self._unqueued == inf:
            self._unqueued = latency
            self._look_at = now + _FIRST_LOOK
        elif self._should_look(now, latency):
            self._look_down(now, self.level, helped=False)
            return
        elif self._bad.queued and latency < _FAST * self._unqueued:
            self._bad.forget()
        self._learn_failures(now)

    def _learn_failures(self, now: float) -> None:
        """Update the usual share of failures, and stay at the same level."""
        share = self._window.failed_share
        self.usual_failures += _LEARNING * (share - self.usual_failures)
        self.usual_failures = max(self.usual_failures, _LEAST_SHARE)
        bad = self._bad
        edge = now < bad.until and not bad.queued
        if edge and bad.is_explained_by(self.usual_failures):
            bad.forget()  # as many fail below the edge, so it was none
            self._growth = _FAST_GROWTH
        self._begin_window(now)

    # -- cutting

    def _lower(self, now: float) -> None:
        """Lower the level because too many fail, or restore it if lower levels did not help."""
        window = self._window
        # An unused limit proves nothing about the server.
        used = min(self.level, self.in_flight)
        if self._cut is None and used < _LEAST_CUT:
            return
        # The first requests of a run are sent at depths of 1, 2, 3; their failures do not show
        # that these depths are too much.
        edge = _KEEP * max(window.failed_depth, 0.8 * used)
        lower = edge
        if self._cut is None:
            self._look = None
            self._cut = _Cut(self.level, window.failed_share)
            self._bad.failures, self._bad.count = window.failures, window.count
        else:
            self._cut.add(window)
            if self._cut.shows_nature(self.level):
                self._accept_failures(now, self._cut)
                return
            lower = min(edge, self.level / 2)
        self._bad.remember(edge, now + _MEMORY, queued=False)
        self.level = max(min(lower, self.level), 1.0)
        self._change_generation(now)

    def _accept_failures(self, now: float, cut: _Cut) -> None:
        self.usual_failures = cut.failures / cut.count
        self.level = cut.level
        self._cut = None
        self._bad.forget()
        self._change_generation(now)

    def _judge_cut(self, now: float, cut: _Cut) -> None:
        bearable = self.usual_failures + (cut.failed_share - self.usual_failures) / 3
        if self._window.failed_share >= bearable:
            self._lower(now)
            return
        self._cut = None
        self._growth = _SLOW_GROWTH
        self._learn_failures(now)

    # -- looking

    def _should_look(self, now: float, latency: float) -> bool:
        if now < self._rest_until or not self._window.was_full:
            return False
        return now >= self._look_at or latency > _SLOW * self._unqueued

    def _look_down(self, now: float, top: float, *, helped: bool) -> None:
        self._look = look = _Look(top, self._window, helped=helped)
        round_trips = _LOOK_ROUND_TRIPS * (now - self._window_began)
        self._look_at = now + max(_LOOK_EVERY, round_trips)
        self.level = max(look.depth * _LOOK_STEP, 1.0)
        self._change_generation(now)

    def _judge_look(self, now: float, look: _Look) -> None:
        latency = self._window.latency
        full = self._window.was_full
        # A queue that was drained in proportion would give latency/before = level/before. The
        # square root is half way between that and no effect.
        faster = latency < look.latency * sqrt(self.level / look.depth)
        if full and faster and self.level >= 2:
            self._look_down(now, look.top, helped=True)
            return
        self._look = None
        self._rest_until = now + _REST_AFTER_LOOK
        self.level = look.top
        if full:
            self._set_baseline(now, look, latency)
        self._change_generation(now)

    def _set_baseline(self, now: float, look: _Look, latency: float) -> None:
        """Nothing queued in the last two steps: take their latency as the baseline."""
        self._unqueued = (latency + look.latency) / 2
        if look.helped:
            fit = look.depth * _HEADROOM * self._unqueued / look.latency
            self.level = min(fit, look.top)
            self._growth = _SLOW_GROWTH
            self._bad.remember(self.level, now + _MEMORY, queued=True)
