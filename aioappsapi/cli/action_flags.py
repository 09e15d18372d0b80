"""The options of single actions: how instances are replaced, how droplets are built, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from cyclopts import Group, Parameter

from aioappsapi.cli.flags import Deadline, OutputFormat
from aioappsapi.cli.values import choice, count, duration_or_zero, percentages

if TYPE_CHECKING:
    from aioappsapi import Scale

Strategy = Literal["plain", "rolling"]
OnTimeout = Literal["cancel", "leave"]

_HOW: Final = Group("How the apps change", sort_key=2)


class ActionFlags:
    """Options that only some actions have."""

    def given(self) -> dict[str, object]:
        """Return the typed options, by the names of their fields."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if value is not None}

    def typed(self) -> Iterator[str]:
        """Return the typed arguments, for a command that repeats them."""
        for name, value in self.given().items():
            yield f"--{name.replace('_', '-')}"
            yield ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@Parameter(parse=False)  # cyclopts would make an option of it
@dataclass(frozen=True, kw_only=True)
class NoFlags(ActionFlags):
    """No option besides those of all actions."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RollingFlags(ActionFlags):
    """The replacement of instances."""

    strategy: Annotated[
        Strategy | None,
        Parameter(
            group=_HOW,
            converter=choice(*get_args(Strategy)),
            help="plain: stop all instances, then start new ones. rolling: start new ones first, "
            "by a deployment, so that the app stays up. Default: plain.",
        ),
    ] = None
    max_in_flight: Annotated[
        int | None,
        Parameter(
            group=_HOW,
            metavar="N",
            converter=count(1),
            help="How many new instances of an app may be starting in a deployment. Default: 1.",
        ),
    ] = None
    canary_steps: Annotated[
        tuple[int, ...] | None,
        Parameter(
            group=_HOW,
            metavar="PERCENT,...",
            converter=percentages,
            n_tokens=1,
            help="Deploy to these shares of the instances, such as 10,50, and go on from each when "
            "its new instances run.",
        ),
    ] = None
    canary_hold: Annotated[
        float | None,
        Parameter(
            group=_HOW,
            metavar="TIME",
            converter=duration_or_zero,
            help="Go on from each of these shares only when its new instances have run for this "
            "time. Default: 0s.",
        ),
    ] = None
    on_timeout: Annotated[
        OnTimeout | None,
        Parameter(
            group=_HOW,
            converter=choice(*get_args(OnTimeout)),
            help="What to do with a deployment that fails or makes no progress: cancel it, so that "
            "the old instances run again, or leave it. Default: cancel.",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RestageFlags(RollingFlags):
    """The builds of droplets, and the replacement of instances."""

    to_stack: Annotated[
        str | None,
        Parameter(
            group=_HOW,
            metavar="NAME",
            help="Build for this stack, and move the apps to it. Default: each app's own.",
        ),
    ] = None
    max_building: Annotated[
        int | None,
        Parameter(
            group=_HOW,
            metavar="N",
            converter=count(1),
            help="How many apps may be building at a time. Default: any number.",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScaleFlags(ActionFlags):
    """The numbers to set for processes."""

    instances: Annotated[
        int | None,
        Parameter(group=_HOW, metavar="N", converter=count(0), help="Instances of each app."),
    ] = None
    memory_mb: Annotated[
        int | None,
        Parameter(
            group=_HOW,
            metavar="MB",
            converter=count(1),
            help="Memory of an instance. It counts from the next restart on.",
        ),
    ] = None
    disk_mb: Annotated[
        int | None,
        Parameter(
            group=_HOW,
            metavar="MB",
            converter=count(1),
            help="Disk of an instance. It counts from the next restart on.",
        ),
    ] = None
    process: Annotated[
        str | None,
        Parameter(group=_HOW, metavar="TYPE", help="Which process. Default: web."),
    ] = None

    def scale(self) -> Scale:
        """Return the numbers. Raises InvalidInputError if there are none."""
        from aioappsapi import InvalidInputError, Scale

        if self.instances is None and self.memory_mb is None and self.disk_mb is None:
            raise InvalidInputError("scale needs numbers: --instances, --memory-mb or --disk-mb.")
        return Scale(
            instances=self.instances,
            memory_in_mb=self.memory_mb,
            disk_in_mb=self.disk_mb,
            process=self.process or "web",
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CallFlags:
    """The options of all commands for one app."""

    output: OutputFormat = "text"
    deadline: Deadline = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RestoreFlags:
    """The parts that a restore brings back besides states and numbers of instances."""

    memory: Annotated[
        bool, Parameter(group=_HOW, help="Bring back memory and disk, too. Restarts running apps.")
    ] = False
    droplets: Annotated[
        bool, Parameter(group=_HOW, help="Bring back the droplets, too. Restarts running apps.")
    ] = False
