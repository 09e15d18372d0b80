"""The states of an app in a run, and what is known of its present step."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """The state of an app in its run."""

    PENDING = 0  # waits for a worker
    READY = 1  # its next step waits for a worker
    RETRY_LATER = 2  # failed, and waits for the second round
    ASKING = 3  # a worker reads, journals and sends
    HELD = 4  # waits for the start limiter
    VERIFYING = 5  # its request was accepted, and its proof is awaited
    DONE = 6  # has its outcome


class Did(IntEnum):
    """Whether the present step was carried out, as far as is known."""

    NO = 0
    MAYBE = 1
    YES = 2


class Why(IntEnum):
    """The reason why a run ends before an app is done."""

    DEADLINE = 0
    STOPPED = 1
    CANCELLED = 2
    ABORTED = 3


# fast path: globals, because a member looked up in its class costs ten times as much.
PENDING, READY, RETRY_LATER, ASKING, HELD, VERIFYING, DONE = State
NO, MAYBE, YES = Did
