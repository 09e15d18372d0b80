"""One app in one run: all known facts of it, changed only by events.

An event is a method. Each one checks from which states it may come, so the table below is enforced
at every call, and the same methods replay a journal. There is no I/O and no clock here: an event
carries its time, in seconds of the event loop's clock.

    PENDING ─────┐                                   accepted · known, and the step needs a proof
    READY ───────┼─claimed─▶ ASKING ─┬───────────────────────────────────────────▶ VERIFYING
    RETRY_LATER ─┘            │  ▲   ├─ already, to be verified ─────────────────▶ VERIFYING
                         held │  │   ├─ failed, but a look may still prove it ───▶ VERIFYING
                              ▼  │   ├─ accepted · known, more steps ────────────▶ ASKING
                            HELD ┘   ├─ failed, and may do better later ─────────▶ RETRY_LATER
                             admitted└─ accepted · known · already · skipped · failed ─▶ DONE
    VERIFYING ── proved, more steps ──▶ READY          any state but DONE ── ended ──▶ DONE
    VERIFYING ── proved · disproved · unproved ──▶ DONE
    looked, sending, sent, answered, doubted (in ASKING) and seen, crashed (in VERIFYING) are facts:
    they move nothing. A journal adds not_done and resumed: any state ──▶ PENDING, or it stays DONE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from aioappsapi.bulk.reports.outcome import OK, Status
from aioappsapi.bulk.run.states import (
    ASKING,
    DONE,
    HELD,
    MAYBE,
    NO,
    PENDING,
    READY,
    RETRY_LATER,
    VERIFYING,
    YES,
    Did,
    State,
    Why,
)
from aioappsapi.errors import AppsApiError

# How much each policy of waiting proves. A weaker proof is not enough for a stronger policy.
_STRENGTH: Final = {"none": 0, "any": 1, "all": 2, "routable": 3}


class Step(Protocol):
    """The rules of one request of an action; `ActionStep` explains them."""

    name: str
    once: bool
    visible: bool
    waits: bool


class Listener(Protocol):
    """The only subscriber: it updates counts, journal, limiter and report."""

    def moved(self, run: AppRun, before: State) -> None:
        """Follow a move. After `crashed`, which moves nothing, `before` is the present state."""


class AppRun(msgspec.Struct, eq=False):
    """All known facts of one app in one run. A Struct, because it is made in C.

    `index` is its position in the input. `sent_at` is when the bytes of the present step's last
    attempt left, `first_sent_at` when this process first sent anything: durations begin there.
    `journaled`: the journal has a line that the present step will be sent. `in_the_air`: bytes
    left, and no answer came. `state_seen`: the server showed the requested state. With
    `repeat_proves_nothing` it may answer 200 to a repeat although nothing happens. `doubt` is the
    error of a step that failed and is verified anyway. `made` is the build or deployment that
    a step made, or before its answer the name that it will have. `wave` is the number of its wave,
    `changed_by` the last step that was carried out, by this process or an earlier one.
    """

    index: int
    key: str
    steps: Sequence[Step]
    listener: Listener
    state: State = PENDING
    step: int = 0
    did: Did = NO
    journaled: bool = False
    in_the_air: bool = False
    repeat_proves_nothing: bool = False
    retried: bool = False
    crashes: bool = False
    attempts: int = 0
    status: Status | None = None
    proved_status: Status = Status.OK
    proof: str = "none"
    name: str | None = None
    space: str | None = None
    organization: str | None = None
    wave: int | None = None
    changed_by: int | None = None
    state_seen: bool = False
    value: object = None
    error: AppsApiError | None = None
    doubt: AppsApiError | None = None
    made: str | None = None
    first_sent_at: float | None = None
    sent_at: float | None = None
    accepted_at: float | None = None
    first_at: float | None = None
    all_at: float | None = None
    done_at: float | None = None
    request_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    # -- what follows from the facts
    @property
    def is_open(self) -> bool:
        """Whether it is unknown if the present step was carried out."""
        return self.did is MAYBE or self.in_the_air

    @property
    def is_last(self) -> bool:
        """Whether no step comes after the present one."""
        return self.step == len(self.steps) - 1

    @property
    def was_sent(self) -> bool:
        """Whether this process sent anything for it."""
        return self.first_sent_at is not None

    @property
    def what(self) -> str:
        """The step and the app for messages: ``start 1cb0…``."""
        return f"{self.steps[self.step].name} {self.key}"

    def _from(self, *states: State) -> None:
        if self.state not in states:
            self._refuse()

    def _refuse(self) -> None:
        raise RuntimeError(f"{self.what}: this event cannot come in {self.state.name}")

    def _move(self, state: State) -> None:
        before, self.state = self.state, state
        self.listener.moved(self, before)

    def _finish(self, status: Status, at: float, error: AppsApiError | None = None) -> None:
        self.status, self.error, self.done_at = status, error, at
        before, self.state = self.state, DONE  # fast path: what `_move` does
        self.listener.moved(self, before)

    # -- events before a request
    def claimed(self) -> None:
        """A worker takes the app."""
        # fast path, as in `sent` and `accepted`: what `_from` does, which comes for every app.
        before = self.state
        if before > RETRY_LATER:
            self._refuse()
        self.state = ASKING
        self.listener.moved(self, before)

    def held(self) -> None:
        """Too many instances are starting: the app waits."""
        self._from(ASKING)
        self._move(HELD)

    def admitted(self) -> None:
        """Its instances may start now."""
        self._from(HELD)
        self._move(ASKING)

    def looked(self, *, in_place: bool) -> None:
        """The server showed whether an earlier attempt of the present step was carried out."""
        self._from(ASKING)
        self.did = YES if in_place else NO
        self.state_seen = in_place
        if not in_place:
            self.repeat_proves_nothing = False

    def skipped(self, at: float, error: AppsApiError) -> None:
        """No request is sent, for a reason that `error` gives."""
        self._from(ASKING)
        if self.error is not None:  # the failure of the first round is the better reason
            self._finish(Status.FAILED, at, self.error)
        elif self.was_sent or self.did or self.changed_by is not None:
            self._finish(Status.UNVERIFIED, at, error)
        else:
            self._finish(Status.NOT_ATTEMPTED, at, error)

    def described(self, name: str, space: str | None, organization: str | None) -> None:
        """The server showed the names of the app, its space and its organization."""
        self.name, self.space, self.organization = name, space, organization

    def already(self, at: float, *, verify: bool) -> None:
        """The present step has nothing to change; with others before it, the app may be `ok`."""
        self._from(ASKING)
        self.state_seen = True
        self.proved_status = Status.ALREADY if self.changed_by is None else Status.OK
        if verify:
            self._move(VERIFYING)
        elif self.is_last:
            self._finish(self.proved_status, at)
        else:
            self._next_step()

    # -- events of a request
    def named(self, made: str) -> None:
        """The step will make a build or a deployment under this name, or has made this one."""
        self._from(ASKING)
        self.made = made

    def sending(self) -> None:
        """The journal notes that the request is about to go out."""
        self._from(ASKING)
        self.journaled = True

    def sent(self, at: float) -> None:
        """The bytes of an attempt leave."""
        if self.state is not ASKING:
            self._refuse()
        self.in_the_air = True
        self.sent_at = at
        if self.first_sent_at is None:
            self.first_sent_at = at

    def answered(self) -> None:
        """An attempt ended: with an answer, or with a failure."""
        self.in_the_air = False

    def doubted(self, *, repeat_proves_nothing: bool) -> None:
        """An attempt failed, but may have taken effect."""
        self._from(ASKING)
        self.in_the_air = False
        self.did = MAYBE
        self.repeat_proves_nothing |= repeat_proves_nothing

    # -- how the request ended
    def accepted(
        self,
        at: float,
        value: object = None,
        *,
        made: str | None = None,
        proves_nothing: AppsApiError | None = None,
        is_proof: bool = False,
    ) -> None:
        """The server accepted the step; `proves_nothing` is a reason, `is_proof` a sure proof."""
        if self.state is not ASKING:
            self._refuse()
        self.in_the_air = False
        self.accepted_at, self.value, self.did = at, value, YES
        self.changed_by = self.step
        self.made = made or self.made
        self.state_seen = proves_nothing is None
        self._carried_out(at, proves_nothing, is_proof)

    def known(self, at: float, *, is_proof: bool = False) -> None:
        """The journal or a look shows that the step was carried out before."""
        self._from(ASKING)
        self.did, self.changed_by = YES, self.step
        self._carried_out(at, None, is_proof)

    def _carried_out(self, at: float, no_proof: AppsApiError | None, is_proof: bool) -> None:
        step = self.step
        if self.steps[step].waits and not is_proof:
            self._move(VERIFYING)
        elif no_proof is not None or self.repeat_proves_nothing:
            # Also before further steps: they would build on something unverified.
            self._finish(Status.UNVERIFIED, at, no_proof)
        elif step == len(self.steps) - 1:
            self._finish(OK, at)
        else:
            self._next_step()

    def failed(self, at: float, error: AppsApiError, *, later: bool, settles: bool) -> None:
        """The request failed for good.

        `later`: it may succeed after the other apps. `settles`: the server refused this app, which
        shows that no earlier attempt took effect.
        """
        self._from(ASKING)
        self.in_the_air = False
        if settles:
            self.did = NO
        step = self.steps[self.step]
        if later and not (step.once and self.is_open):
            self.retried, self.error = True, error
            self._move(RETRY_LATER)
        elif self.is_open and step.visible and step.waits:
            self.doubt = error
            self._move(VERIFYING)
        else:
            self._finish(Status.FAILED, at, error)

    # -- events of the proof
    def seen(self, first_at: float) -> None:
        """A first instance was seen to run, since `first_at`."""
        self._from(VERIFYING)
        self.first_at = first_at if self.first_at is None else self.first_at

    def crashed(self) -> None:
        """An instance crashed. The app may still come up, but other starts should slow down."""
        self._from(VERIFYING)
        self.crashes = True
        self.listener.moved(self, VERIFYING)

    def proved(self, at: float, all_at: float | None, proof: str, made: str | None = None) -> None:
        """It was seen that the step took effect, as far as the policy `proof` requires."""
        self._from(VERIFYING)
        self.all_at, self.proof, self.did, self.doubt = all_at, proof, YES, None
        self.made = made or self.made
        if self.is_last:
            self._finish(self.proved_status, at)
        else:
            self._next_step()
            self._move(READY)

    def disproved(self, at: float, error: AppsApiError) -> None:
        """It was seen that it failed: crashed, no cell, deleted, or stopped by another user."""
        self._from(VERIFYING)
        self._finish(Status.FAILED, at, error)

    def unproved(self, at: float, error: AppsApiError, *, late: bool) -> None:
        """Its time is over (`late`), or its instances cannot be read."""
        self._from(VERIFYING)
        self._finish(self._unproved_status(late=late), at, self.doubt or error)

    def _unproved_status(self, *, late: bool) -> Status:
        if self.doubt is not None:
            return Status.FAILED
        return Status.TIMED_OUT if late else Status.UNVERIFIED

    # -- the end of the run
    def status_if_ended(self, why: Why) -> Status:
        """Return the status that `ended` gives now."""
        late = why is Why.DEADLINE
        interrupted = Status.TIMED_OUT if late else Status.CANCELLED
        if self.state is VERIFYING:
            return self._unproved_status(late=late)
        if self.in_the_air:
            return interrupted
        if self.error is not None:  # of the first round: nothing better since then
            return Status.FAILED
        if self.did is YES or self.changed_by is not None:
            return Status.TIMED_OUT if late else Status.UNVERIFIED
        if self.was_sent:
            return interrupted
        if self.is_open:  # from an earlier process
            return Status.UNVERIFIED
        return Status.NOT_ATTEMPTED

    def ended(self, at: float, why: Why, error: AppsApiError) -> None:
        """The run ends before this app is done. A known error is kept."""
        self._from(PENDING, READY, RETRY_LATER, ASKING, HELD, VERIFYING)
        status = self.status_if_ended(why)
        if self.in_the_air:
            self.in_the_air, self.did = False, MAYBE
        elif status is Status.FAILED:
            error = self.doubt or self.error or error
        self._finish(status, at, error)

    # -- the journal
    def not_done(self) -> None:
        """The journaled step surely had no effect."""
        self.journaled, self.did = False, NO

    def proves(self, wait: str) -> bool:
        """Check whether the outcome is `ok` with a proof that is enough for this policy."""
        return self.status is Status.OK and _STRENGTH[self.proof] >= _STRENGTH[wait]

    def resumed(self, wait: str) -> None:
        """A new process resumes: it takes over the outcome, or only the facts."""
        if self.state is DONE and self.proves(wait):
            return
        if self.journaled and self.status is None and self.did is NO:
            self.did = MAYBE  # the earlier process may have died while it was sent
        self.journaled = self.did is not NO
        self.state, self.status, self.proved_status = PENDING, None, Status.OK
        self.proof = "none"
        self.in_the_air = self.retried = self.crashes = self.repeat_proves_nothing = False
        self.state_seen = False
        self.error = self.doubt = self.value = None
        self.first_sent_at = self.accepted_at = self.first_at = self.all_at = self.done_at = None
        self.attempts, self.request_ids, self.warnings = 0, (), ()

    def reached(self, step: int) -> None:
        """The journal shows that the steps before this one were carried out."""
        while self.step < step:
            self.changed_by = self.step if self.journaled else self.changed_by
            self._next_step()

    def _next_step(self) -> None:
        # A proof, an error or a doubt belongs to its own step, and must not count for the next.
        self.step += 1
        self.did, self.proof = NO, "none"
        self.journaled = self.repeat_proves_nothing = self.retried = self.crashes = False
        self.state_seen = False
        self.proved_status = Status.OK
        self.error = self.doubt = None
        self.sent_at = self.accepted_at = self.first_at = self.all_at = None
