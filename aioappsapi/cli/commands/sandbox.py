"""The options of `sandbox`. The sandbox's own program does the work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Final

from cyclopts import Group, Parameter

from aioappsapi.cli.flags import Profile
from aioappsapi.cli.values import choice, count, duration_or_zero, share

_SERVER: Final = Group("The server", sort_key=1)
_WORLD: Final = Group("Its apps and cells", sort_key=2)
_FAULTS: Final = Group("What goes wrong", sort_key=3)

_N = Annotated[int | None, Parameter(metavar="N", converter=count(0))]
_Time = Annotated[float | None, Parameter(metavar="TIME", converter=duration_or_zero)]
_Share = Annotated[float | None, Parameter(metavar="SHARE", converter=share)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SandboxFlags:
    """The Cloud Controller to serve. None means the sandbox's own default."""

    port: Annotated[_N, Parameter(group=_SERVER, help="0 takes any free port. Default: 8080.")] = (
        None
    )
    host: Annotated[
        str | None,
        Parameter(group=_SERVER, metavar="ADDRESS", help="Where to listen. Default: 127.0.0.1."),
    ] = None
    tls: Annotated[
        bool,
        Parameter(group=_SERVER, help="Serve HTTPS; the second line names the CA's file."),
    ] = False
    token_lifetime: Annotated[
        _Time, Parameter(group=_SERVER, help="Lifetime of a token. Default: 12h.")
    ] = None
    close_after: Annotated[
        _N, Parameter(group=_SERVER, help="Close each connection after N requests.")
    ] = None
    apps: Annotated[_N, Parameter(group=_WORLD, help="Number of apps. Default: 100.")] = None
    started: Annotated[bool, Parameter(group=_WORLD, help="All apps run from the beginning.")] = (
        False
    )
    seed: Annotated[
        _N, Parameter(group=_WORLD, help="The same seed gives the same faults. Default: 0.")
    ] = None
    cells: Annotated[_N, Parameter(group=_WORLD, help="Cells that run instances. Default: 1.")] = (
        None
    )
    cell_memory_mb: Annotated[
        _N, Parameter(group=_WORLD, help="Memory of each cell. Default: no limit.")
    ] = None
    max_starting_per_cell: Annotated[
        _N,
        Parameter(group=_WORLD, help="Instances that start at once on a cell. Default: no limit."),
    ] = None
    profile: Annotated[
        Profile | None,
        Parameter(
            group=_FAULTS,
            converter=choice("none", "demo", "chaos"),
            help="A ready mix of faults. Default: none.",
        ),
    ] = None
    latency: Annotated[_Time, Parameter(group=_FAULTS, help="Mean time that a request takes.")] = (
        None
    )
    rate_limit: Annotated[
        _N, Parameter(group=_FAULTS, help="Requests that a user has in each window.")
    ] = None
    rate_window: Annotated[
        _Time, Parameter(group=_FAULTS, help="Length of that window. Default: 1m.")
    ] = None
    startup: Annotated[
        _Time, Parameter(group=_FAULTS, help="Mean time until an instance runs.")
    ] = None
    shutdown: Annotated[_Time, Parameter(group=_FAULTS, help="Time until it is gone.")] = None
    crash: Annotated[_Share, Parameter(group=_FAULTS, help="Instances that always crash.")] = None
    crash_once: Annotated[
        _Share, Parameter(group=_FAULTS, help="Instances that crash the first time.")
    ] = None
    fault: Annotated[
        tuple[str, ...],
        Parameter(
            group=_FAULTS,
            metavar="NAME=VALUE",
            help="Any other fault, such as truncated=0.1. Repeatable.",
        ),
    ] = ()

    def words(self) -> Iterator[str]:
        """Return the flags as the sandbox's own program takes them."""
        for field in fields(self):
            option, value = f"--{field.name.replace('_', '-')}", getattr(self, field.name)
            if value is True:
                yield option
            elif isinstance(value, tuple):
                yield from (part for one in value for part in (option, one))
            elif value is not None and value is not False:
                yield from (option, str(value))


def sandbox(*, flags: SandboxFlags = SandboxFlags()) -> int:
    from aioappsapi.sandbox.__main__ import main

    return main([*flags.words()], prog="aioappsapi sandbox", port=8080, apps=100)
