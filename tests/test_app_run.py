"""The state machine of one app: its table of events, and its safety over several lives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioappsapi.bulk.reports.outcome import Status
from aioappsapi.bulk.reports.report_json import OutcomeRecord
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.bulk.run.lines import (
    Accepted,
    Ended,
    Line,
    NotDone,
    Resumed,
    Sending,
    line_for,
    replay,
)
from aioappsapi.bulk.run.states import Did, State, Why
from aioappsapi.errors import AppsApiError, UnverifiedError
from tests.steps import Step, steps_of

PENDING, READY, RETRY_LATER, ASKING, HELD, VERIFYING, DONE = State
ERROR = AppsApiError("it failed")
OTHER = UnverifiedError("nobody looked")


class Moves:
    """Follows the moves of an app."""

    def __init__(self) -> None:
        self.seen: list[tuple[State, State]] = []

    def moved(self, run: AppRun, before: State) -> None:
        self.seen.append((before, run.state))


def app_run(*steps: Step, state: State = PENDING, **fields: Any) -> AppRun:
    run = AppRun(0, "guid", steps or (Step("start", visible=True, waits=True),), Moves())
    run.state = state
    for name, value in fields.items():
        setattr(run, name, value)
    return run


def moves(run: AppRun) -> list[tuple[State, State]]:
    assert isinstance(run.listener, Moves)
    return run.listener.seen


# -- the table

EVENTS: dict[str, tuple[Callable[[AppRun], object], set[State]]] = {
    "claimed": (lambda r: r.claimed(), {PENDING, READY, RETRY_LATER}),
    "held": (lambda r: r.held(), {ASKING}),
    "admitted": (lambda r: r.admitted(), {HELD}),
    "looked": (lambda r: r.looked(in_place=True), {ASKING}),
    "skipped": (lambda r: r.skipped(1.0, ERROR), {ASKING}),
    "already": (lambda r: r.already(1.0, verify=False), {ASKING}),
    "sending": (lambda r: r.sending(), {ASKING}),
    "sent": (lambda r: r.sent(1.0), {ASKING}),
    "answered": (lambda r: r.answered(), set(State)),
    "doubted": (lambda r: r.doubted(repeat_proves_nothing=False), {ASKING}),
    "accepted": (lambda r: r.accepted(1.0), {ASKING}),
    "known": (lambda r: r.known(1.0), {ASKING}),
    "failed": (lambda r: r.failed(1.0, ERROR, later=False, settles=False), {ASKING}),
    "seen": (lambda r: r.seen(1.0), {VERIFYING}),
    "crashed": (lambda r: r.crashed(), {VERIFYING}),
    "proved": (lambda r: r.proved(1.0, 1.0, "all"), {VERIFYING}),
    "disproved": (lambda r: r.disproved(1.0, ERROR), {VERIFYING}),
    "unproved": (lambda r: r.unproved(1.0, ERROR, late=False), {VERIFYING}),
    "ended": (lambda r: r.ended(1.0, Why.STOPPED, ERROR), set(State) - {DONE}),
    "not_done": (lambda r: r.not_done(), set(State)),
    "resumed": (lambda r: r.resumed("none"), set(State)),
}


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("event", EVENTS)
def test_each_event_comes_only_from_its_states(event: str, state: State) -> None:
    happen, allowed = EVENTS[event]
    run = app_run(state=state, status=Status.FAILED if state is DONE else None)
    if state in allowed:
        happen(run)
    else:
        with pytest.raises(RuntimeError, match=f"start guid: .* in {state.name}"):
            happen(run)
        assert run.state is state


PLAIN = Step("step")
ONCE = Step("step", once=True)
WAITING = Step("step", waits=True)
VISIBLE = Step("step", visible=True, waits=True)
ONCE_WAITING = Step("step", once=True, waits=True)
TWO = (PLAIN, Step("next"))
ONE_DONE: Any = {"step": 1, "changed_by": 0}
NO_PROOF = {"repeat_proves_nothing": True}


def fails(*, later: bool = False, settles: bool = False) -> Callable[[AppRun], object]:
    return lambda run: run.failed(1.0, ERROR, later=later, settles=settles)


@pytest.mark.parametrize(
    ("steps", "fields", "event", "state", "status"),
    [
        ([PLAIN], {}, lambda r: r.accepted(1.0), DONE, Status.OK),
        ([WAITING], {}, lambda r: r.accepted(1.0), VERIFYING, None),
        (TWO, {}, lambda r: r.accepted(1.0), ASKING, None),
        (
            [PLAIN],
            {"repeat_proves_nothing": True},
            lambda r: r.accepted(1.0),
            DONE,
            Status.UNVERIFIED,
        ),
        (TWO, {"repeat_proves_nothing": True}, lambda r: r.accepted(1.0), DONE, Status.UNVERIFIED),
        ([PLAIN], {}, lambda r: r.accepted(1.0, proves_nothing=OTHER), DONE, Status.UNVERIFIED),
        ([PLAIN], {}, lambda r: r.known(1.0), DONE, Status.OK),
        ([WAITING], {}, lambda r: r.known(1.0), VERIFYING, None),
        ([PLAIN], {}, lambda r: r.already(1.0, verify=False), DONE, Status.ALREADY),
        ([WAITING], {}, lambda r: r.already(1.0, verify=True), VERIFYING, None),
        # failures
        (
            [PLAIN],
            {},
            fails(),
            DONE,
            Status.FAILED,
        ),
        ([PLAIN], {}, fails(later=True), RETRY_LATER, None),
        ([ONCE], {}, fails(later=True), RETRY_LATER, None),
        (
            [ONCE],
            {"did": Did.MAYBE},
            fails(later=True),
            DONE,
            Status.FAILED,
        ),
        (
            [ONCE],
            {"did": Did.MAYBE},
            fails(later=True, settles=True),
            RETRY_LATER,
            None,
        ),
        (
            [VISIBLE],
            {"did": Did.MAYBE},
            fails(),
            VERIFYING,
            None,
        ),
        (
            [ONCE_WAITING],
            {"did": Did.MAYBE},
            fails(),
            DONE,
            Status.FAILED,
        ),
        # skipped
        ([PLAIN], {}, lambda r: r.skipped(1.0, OTHER), DONE, Status.NOT_ATTEMPTED),
        ([PLAIN], {"error": ERROR}, lambda r: r.skipped(1.0, OTHER), DONE, Status.FAILED),
        ([PLAIN], {"did": Did.MAYBE}, lambda r: r.skipped(1.0, OTHER), DONE, Status.UNVERIFIED),
        (TWO, {"step": 1}, lambda r: r.skipped(1.0, OTHER), DONE, Status.NOT_ATTEMPTED),
        (TWO, ONE_DONE, lambda r: r.skipped(1.0, OTHER), DONE, Status.UNVERIFIED),
        (TWO, {}, lambda r: r.already(1.0, verify=False), ASKING, None),
        (TWO, {"step": 1}, lambda r: r.already(1.0, verify=False), DONE, Status.ALREADY),
        (TWO, ONE_DONE, lambda r: r.already(1.0, verify=False), DONE, Status.OK),
        ([PLAIN], {"first_sent_at": 0.5}, lambda r: r.skipped(1.0, OTHER), DONE, Status.UNVERIFIED),
    ],
)
def test_events_of_an_asking_app(
    steps: Any, fields: Any, event: Any, state: State, status: Status | None
) -> None:
    run = app_run(*steps, state=ASKING, **fields)
    event(run)
    assert (run.state, run.status) == (state, status)


@pytest.mark.parametrize(
    ("steps", "fields", "event", "state", "status"),
    [
        ([WAITING], {}, lambda r: r.proved(1.0, 1.0, "all"), DONE, Status.OK),
        (
            [WAITING],
            {"proved_status": Status.ALREADY},
            lambda r: r.proved(1.0, 1.0, "all"),
            DONE,
            Status.ALREADY,
        ),
        ((WAITING, PLAIN), {}, lambda r: r.proved(1.0, 1.0, "all"), READY, None),
        ([WAITING], {}, lambda r: r.disproved(1.0, ERROR), DONE, Status.FAILED),
        ([WAITING], {}, lambda r: r.unproved(1.0, ERROR, late=True), DONE, Status.TIMED_OUT),
        ([WAITING], {}, lambda r: r.unproved(1.0, ERROR, late=False), DONE, Status.UNVERIFIED),
        (
            [WAITING],
            {"doubt": OTHER},
            lambda r: r.unproved(1.0, ERROR, late=True),
            DONE,
            Status.FAILED,
        ),
    ],
)
def test_events_of_a_verifying_app(
    steps: Any, fields: Any, event: Any, state: State, status: Status | None
) -> None:
    run = app_run(*steps, state=VERIFYING, **fields)
    event(run)
    assert (run.state, run.status) == (state, status)
    if fields.get("doubt") is not None:
        assert run.error is fields["doubt"], "the doubt says more than the time-out"


@pytest.mark.parametrize(
    ("state", "fields", "late", "otherwise"),
    [
        (PENDING, {}, Status.NOT_ATTEMPTED, Status.NOT_ATTEMPTED),
        (ASKING, {}, Status.NOT_ATTEMPTED, Status.NOT_ATTEMPTED),
        (ASKING, {"journaled": True}, Status.NOT_ATTEMPTED, Status.NOT_ATTEMPTED),
        (ASKING, {"in_the_air": True, "first_sent_at": 1.0}, Status.TIMED_OUT, Status.CANCELLED),
        (ASKING, {"first_sent_at": 1.0}, Status.TIMED_OUT, Status.CANCELLED),
        (ASKING, {"did": Did.MAYBE}, Status.UNVERIFIED, Status.UNVERIFIED),
        (ASKING, {"did": Did.YES}, Status.TIMED_OUT, Status.UNVERIFIED),
        (ASKING, ONE_DONE, Status.TIMED_OUT, Status.UNVERIFIED),
        (ASKING, {"step": 1}, Status.NOT_ATTEMPTED, Status.NOT_ATTEMPTED),
        (RETRY_LATER, {"error": ERROR}, Status.FAILED, Status.FAILED),
        (HELD, {"error": ERROR}, Status.FAILED, Status.FAILED),
        (READY, ONE_DONE, Status.TIMED_OUT, Status.UNVERIFIED),
        (VERIFYING, {"did": Did.YES}, Status.TIMED_OUT, Status.UNVERIFIED),
        (VERIFYING, {"doubt": ERROR, "did": Did.MAYBE}, Status.FAILED, Status.FAILED),
    ],
)
def test_the_end_of_a_run_gives_every_unfinished_app_its_outcome(
    state: State, fields: Any, late: Status, otherwise: Status
) -> None:
    for why in Why:
        run = app_run(*TWO, state=state, **fields)
        expected = late if why is Why.DEADLINE else otherwise
        assert run.status_if_ended(why) is expected
        was_in_the_air = run.in_the_air
        run.ended(9.0, why, OTHER)
        assert (run.state, run.status, run.done_at) == (DONE, expected, 9.0)
        assert run.error is (ERROR if expected is Status.FAILED else OTHER)
        if was_in_the_air:
            assert (run.did, run.in_the_air) == (Did.MAYBE, False)


def test_a_proof_of_one_step_does_not_count_for_the_next() -> None:
    run = app_run(VISIBLE, VISIBLE, state=VERIFYING, journaled=True, did=Did.YES)
    run.sent_at = run.accepted_at = 1.0
    run.seen(2.0)
    run.crashed()
    run.proved(3.0, 2.0, "all", made="droplet")
    assert (run.state, run.step, run.did, run.proof, run.made) == (
        READY,
        1,
        Did.NO,
        "none",
        "droplet",
    )
    assert (run.journaled, run.crashes, run.sent_at, run.accepted_at) == (False, False, None, None)
    assert (run.first_at, run.all_at) == (None, None)


def test_the_first_attempt_counts_for_durations_and_the_last_for_new_instances() -> None:
    run = app_run(state=ASKING)
    run.sent(1.0)
    run.doubted(repeat_proves_nothing=True)
    run.sent(5.0)
    assert (run.first_sent_at, run.sent_at, run.in_the_air) == (1.0, 5.0, True)
    run.answered()
    assert not run.in_the_air
    assert run.is_open, "the first attempt may have been carried out"


def test_a_check_of_the_state_settles_an_earlier_attempt() -> None:
    run = app_run(state=ASKING, did=Did.MAYBE, repeat_proves_nothing=True)
    run.looked(in_place=False)
    assert (run.did, run.repeat_proves_nothing) == (Did.NO, False)
    run = app_run(state=ASKING, did=Did.MAYBE, repeat_proves_nothing=True)
    run.looked(in_place=True)
    assert (run.did, run.repeat_proves_nothing) == (Did.YES, True)


@pytest.mark.parametrize(
    ("proof", "wait", "enough"),
    [
        ("none", "none", True),
        ("none", "any", False),
        ("any", "any", True),
        ("any", "all", False),
        ("all", "routable", False),
        ("routable", "all", True),
    ],
)
def test_an_outcome_is_taken_over_only_if_its_proof_is_strong_enough(
    proof: str, wait: str, enough: bool
) -> None:
    run = app_run(state=DONE, status=Status.OK, proof=proof, did=Did.YES, journaled=True)
    run.resumed(wait)
    assert (run.state is DONE) is enough
    assert run.did is Did.YES
    for status in set(Status) - {Status.OK}:
        run = app_run(state=DONE, status=status, proof=proof)
        run.resumed(wait)
        assert (run.state, run.status) == (PENDING, None)


def test_a_process_that_died_after_sending_leaves_a_doubt_that_a_second_resume_keeps() -> None:
    run = app_run(state=ASKING)
    run.sending()
    run.resumed("none")
    assert (run.state, run.did, run.journaled) == (PENDING, Did.MAYBE, True)
    once = msgspec.structs.asdict(run)
    run.resumed("none")
    assert msgspec.structs.asdict(run) == once, "resuming twice changes nothing"


@pytest.mark.parametrize(
    ("step", "did", "later", "state"),
    [
        (PLAIN, Did.MAYBE, True, RETRY_LATER),  # sent twice, it does no harm
        (VISIBLE, Did.NO, False, DONE),  # it was surely not carried out: there is nothing to prove
        (WAITING, Did.MAYBE, False, DONE),  # the server does not show whether it was
        (VISIBLE, Did.MAYBE, False, VERIFYING),
    ],
)
def test_a_failed_step_is_retried_or_verified_only_if_that_can_help(
    step: Step, did: Did, later: bool, state: State
) -> None:
    run = app_run(step, state=ASKING, did=did)
    run.failed(1.0, ERROR, later=later, settles=False)
    assert run.state is state
    assert run.doubt is (ERROR if state is VERIFYING else None)


def test_a_proof_ends_the_doubt() -> None:
    run = app_run(VISIBLE, state=VERIFYING, did=Did.MAYBE, doubt=ERROR)
    run.proved(1.0, 1.0, "all")
    assert (run.status, run.did, run.doubt, run.proof) == (Status.OK, Did.YES, None, "all")


def test_a_step_that_was_not_done_leaves_no_doubt() -> None:
    run = app_run(state=ASKING, journaled=True, did=Did.MAYBE)
    run.not_done()
    assert (run.journaled, run.did) == (False, Did.NO)


def test_the_next_step_begins_without_the_errors_of_the_last() -> None:
    run = app_run(PLAIN, PLAIN, state=ASKING, error=ERROR, doubt=ERROR, retried=True)
    run.accepted(1.0)
    assert (run.state, run.step) == (ASKING, 1)
    assert (run.error, run.doubt, run.retried) == (None, None, False)


def test_a_resumed_app_keeps_its_finished_steps_and_drops_the_rest() -> None:
    run = app_run(
        state=DONE,
        status=Status.FAILED,
        did=Did.YES,
        proof="any",
        journaled=True,
        in_the_air=True,
        repeat_proves_nothing=True,
        retried=True,
        crashes=True,
        error=ERROR,
        doubt=ERROR,
        value="app",
        attempts=3,
    )
    run.sent_at = run.first_sent_at = 5.0
    run.resumed("none")
    kept = (run.state, run.did, run.journaled, run.sent_at)
    assert kept == (PENDING, Did.YES, True, 5.0)
    assert (run.in_the_air, run.repeat_proves_nothing, run.retried, run.crashes) == (False,) * 4
    assert (run.proof, run.status, run.attempts) == ("none", None, 0)
    assert (run.error, run.doubt, run.value, run.first_sent_at) == (None,) * 4


# -- the lines of a journal

RECORD = OutcomeRecord(key="guid", status=Status.FAILED, attempts=1)


@pytest.mark.parametrize(
    ("state", "facts", "line"),
    [
        (VERIFYING, {"did": Did.YES, "made": "build"}, Accepted("guid", 107.0, "build")),
        (VERIFYING, {"did": Did.MAYBE}, None),  # a look decides
        (RETRY_LATER, {"did": Did.NO}, NotDone("guid")),
        (RETRY_LATER, {"did": Did.MAYBE}, None),
        (DONE, {"status": Status.NOT_ATTEMPTED}, NotDone("guid")),
        (
            DONE,
            {"status": Status.FAILED, "did": Did.MAYBE, "proof": "any"},
            Ended("guid", Did.MAYBE, "any", 107.0, RECORD),
        ),
        (ASKING, {}, None),
        (HELD, {}, None),
    ],
)
def test_a_move_writes_the_line_that_a_resume_needs(
    state: State, facts: Any, line: Line | None
) -> None:
    run = app_run(state=state, journaled=True, sent_at=7.0, **facts)
    assert line_for(run, 100.0, RECORD if state is DONE else None) == line
    if isinstance(line, NotDone):
        assert not run.journaled
    run = app_run(state=state, journaled=False, **facts)
    assert line_for(run, 100.0, RECORD) is None, "what is not noted was not sent"


def test_an_accepted_line_is_replayed_as_done_and_not_yet_proved() -> None:
    run = app_run(VISIBLE)
    replay(run, Sending("guid", 0), 100.0)
    replay(run, Accepted("guid", 107.0, "build"), 100.0)
    assert (run.state, run.did, run.sent_at, run.made) == (VERIFYING, Did.YES, 7.0, "build")
    run.resumed("all")
    assert (run.state, run.did) == (PENDING, Did.YES)


# -- several lives, against a model of the server


class KilledError(Exception):
    """The process dies."""


class StoppedError(Exception):
    """The run ends in order."""


class World:
    """What is true of one app: how often a step was carried out, and whether the runner heard."""

    def __init__(self, strength: int) -> None:
        self.done: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self.open: set[str] = set()  # steps of which no process could know
        self.strength = strength  # 0: nothing comes up, 1: some instances, 2: all

    def carry_out(self, step: str, *, heard: bool = True) -> None:
        if step == "start" and self.done[step]:
            return  # nothing to change: a 200 that proves nothing
        self.done[step] += 1
        self.heard[step] += heard

    def proves(self, step: str, wait: str) -> bool:
        needed = {"none": 1, "any": 1, "all": 2}[wait]
        return self.heard[step] > 0 and (step == "build" or self.strength >= needed)


FAULTS = ("ok", "ok", "lost before", "lost after", "unheard", "unsent", "503", "refused", "quota")


class Life:
    """One process that works on one app as the engine does."""

    def __init__(self, draw: Any, world: World, action: str, disk: Disk, *, faulty: bool) -> None:
        self.draw, self.world, self.action, self.disk, self.faulty = (
            draw,
            world,
            action,
            disk,
            faulty,
        )
        self.wait = draw(st.sampled_from(["none", "any", "all"]))
        self.steps = steps_of(action, self.wait)
        self.cut = draw(st.integers(-1, 12)) if faulty else -1
        self.how = draw(st.sampled_from(["kill", *Why])) if self.cut >= 0 else None
        self.sent = False
        self.ends = 0
        self.now = 0.0
        self.run = disk.replayed(self.steps)
        self.run.resumed(self.wait)
        self.run.listener = self
        disk.write(Resumed(self.wait, 0.0), flush=True)

    def moved(self, run: AppRun, before: State) -> None:
        self.ends += run.state is DONE
        record = None
        if run.status is not None:
            record = OutcomeRecord(key=run.key, status=run.status, attempts=0)
        if (line := line_for(run, 0.0, record)) is not None:
            self.disk.write(line)

    def point(self) -> None:
        """Be at a place where the process may meet its end."""
        self.now += 1.0
        if self.cut == 0:
            self.cut = -1
            raise KilledError if self.how == "kill" else StoppedError
        self.cut -= self.cut > 0

    def live(self) -> bool:
        """Work until the end; false if the process was killed."""
        try:
            while self.run.state is not DONE:
                self.run.claimed()
                self.point()
                while self.run.state is ASKING:
                    self.take_step(self.run, self.steps[self.run.step])
                if self.run.state is VERIFYING:
                    self.verify(self.run)
        except StoppedError:
            assert isinstance(self.how, Why)
            self.run.ended(self.now, self.how, OTHER)
        except KilledError:
            self.disk.lose(self.draw)
            self.world.open |= {self.steps[line.step].name for line in self.disk.all_sending}
            return False
        self.disk.flush()
        return True

    def take_step(self, run: AppRun, step: Step) -> None:
        is_started = self.action == "start" and self.world.done["start"]
        if run.did is not Did.NO and (step.once or step.visible):
            if self.look(run, step):
                return
        elif is_started and not run.retried and self.draw(st.booleans()):
            run.already(self.now, verify=step.waits)
            return
        if self.draw(st.booleans()):
            run.held()
            self.point()
            run.admitted()
        if self.faulty and self.draw(st.integers(0, 15)) == 0:
            run.skipped(self.now, OTHER)
            return
        self.disk.write(Sending(run.key, run.step))
        run.sending()
        self.point()  # it may end here, while the line is not on disk
        self.disk.flush()
        attempts = 0
        while run.state is ASKING and self.steps[run.step] is step:
            attempts += 1
            self.attempt(run, step, last=attempts == 3)

    def look(self, run: AppRun, step: Step) -> bool:
        if not step.visible:
            if run.did is Did.YES:
                run.known(self.now)
            else:
                run.skipped(self.now, OTHER)
            return True
        self.point()
        run.looked(in_place=self.world.done[step.name] > 0)
        if run.did is Did.NO:
            return False
        if step.waits or step.once or self.world.proves(step.name, "any"):
            run.known(self.now)
        else:
            run.skipped(self.now, OTHER)
        return True

    def attempt(self, run: AppRun, step: Step, *, last: bool) -> None:
        self.point()
        fault = self.draw(st.sampled_from(FAULTS)) if self.faulty else "ok"
        if fault == "unheard" and step.name != "start":
            fault = "lost after"
        if fault in {"refused", "quota"} and self.world.done[step.name]:
            fault = "ok"  # what is done already is accepted
        if fault != "unsent":
            run.sent(self.now)
            self.sent = True
            self.carry_out(step, fault)
            run.answered()
        if fault == "ok":
            run.accepted(self.now, "app", made="made")
            return
        ambiguous = fault in {"lost before", "lost after", "unheard"}
        if ambiguous:
            self.world.open.add(step.name)
            run.doubted(repeat_proves_nothing=step.name == "start")
        repeats = fault in {"503", "unsent"} or (ambiguous and not step.once)
        if last or not repeats:
            later = fault in {"503", "unsent", "quota"} and not run.retried
            run.failed(self.now, ERROR, later=later, settles=fault in {"refused", "quota"})

    def carry_out(self, step: Step, fault: str) -> None:
        try:
            self.point()
        except (KilledError, StoppedError):
            self.world.open.add(step.name)
            if self.draw(st.booleans()):
                self.effect(step, fault)
            raise
        self.effect(step, fault)

    def effect(self, step: Step, fault: str) -> None:
        if fault in {"ok", "lost after", "unheard"}:
            self.world.carry_out(step.name, heard=fault != "unheard")

    def verify(self, run: AppRun) -> None:
        self.point()
        run.seen(self.now)
        self.point()
        if self.world.proves(run.steps[run.step].name, self.wait):
            run.proved(self.now, self.now, self.wait, made="made")
        elif self.draw(st.booleans()):
            run.unproved(self.now, ERROR, late=True)
        else:
            run.disproved(self.now, ERROR)


class Disk:
    """The journal's lines, of which the last ones may not be on disk."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.all_sending: list[Sending] = []
        self.flushed = 0

    def write(self, line: Line, *, flush: bool = False) -> None:
        self.lines.append(line)
        if isinstance(line, Sending):
            self.all_sending.append(line)
        if flush:
            self.flush()

    def flush(self) -> None:
        self.flushed = len(self.lines)

    def lose(self, draw: Any) -> None:
        del self.lines[draw(st.integers(self.flushed, len(self.lines))) :]
        self.flush()

    def replayed(self, steps: Any) -> AppRun:
        run = AppRun(0, "guid", steps, Moves())
        for line in self.lines:
            replay(run, line, 0.0)
        return run


def known_of(run: AppRun) -> tuple[object, ...]:
    return run.step, run.did, run.status


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_no_history_of_kills_and_resumes_loses_doubles_or_invents_an_outcome(
    data: st.DataObject,
) -> None:
    action = data.draw(st.sampled_from(["start", "restart", "rolling", "restage"]))
    world, disk = World(data.draw(st.integers(0, 2))), Disk()
    lives = data.draw(st.integers(1, 4))
    for number in range(lives):
        last = number == lives - 1
        before = Counter(world.done)
        life = Life(data.draw, world, action, disk, faulty=not last)
        was_done = life.run.state is DONE
        survived = life.live()
        run = life.run
        for once in ("restart", "build", "deploy"):
            assert world.done[once] <= 1, "done twice"
        if not survived:
            continue
        assert run.state is DONE
        assert run.status is not None
        assert life.ends == (0 if was_done else 1), "one outcome, once"
        check_truth(life, world, before)
        if run.journaled:
            assert known_of(disk.replayed(life.steps)) == known_of(run), (
                "the journal knows the same"
            )
        if last:
            assert run.status is not Status.NOT_ATTEMPTED, "lost"
            if run.status is Status.UNVERIFIED:
                step = life.steps[run.step].name
                proved_by_none = action == "start" and life.wait == "none" and world.done[step]
                assert step in world.open or proved_by_none, "lost"


def check_truth(life: Life, world: World, before: Counter[str]) -> None:
    run, final = life.run, life.steps[-1].name
    if run.status in {Status.OK, Status.ALREADY}:
        assert world.done[final], "ok, and it never happened"
        if run.status is Status.OK:
            assert world.heard[final], "ok by an answer that proves nothing"
        if life.wait != "none":
            assert world.proves(final, life.wait), "ok, and it does not run"
    if run.status is Status.NOT_ATTEMPTED:
        assert not life.sent
        assert world.done == before
