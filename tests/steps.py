"""Steps of actions without requests, for tests of the engine around them."""

from __future__ import annotations

import msgspec


class Step(msgspec.Struct):
    name: str
    once: bool = False
    visible: bool = False
    waits: bool = False


def steps_of(action: str, wait: str) -> tuple[Step, ...]:
    """The steps of real and planned actions."""
    waits = wait != "none"
    return {
        "start": (Step("start", visible=True, waits=waits),),
        "restart": (Step("restart", once=True, waits=waits),),
        "rolling": (Step("deploy", once=True, visible=True, waits=waits),),
        "restage": (
            Step("build", once=True, visible=True, waits=True),
            Step("droplet"),
            Step("restart", once=True, waits=waits),
        ),
    }[action]
