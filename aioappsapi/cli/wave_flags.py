"""The options for runs in waves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Group, Parameter

from aioappsapi.cli.values import checked, count_or_share, duration_or_zero, share

if TYPE_CHECKING:
    from aioappsapi import Wave, Waves
    from aioappsapi.bulk.windows.waves import WaveOptions

_WAVES: Final = Group("In which waves", sort_key=3)
_KEYED: Final = ("label", "annotation", "needs")
_PLACES: Final = ("space", "organization")


def _check_by(text: str) -> str:
    kind, colon, key = text.partition(":")
    if (text in _PLACES) or (kind in _KEYED and colon and key.removeprefix("-")):
        return text
    raise ValueError(
        f"{text!r} names no waves. Write label:KEY, annotation:KEY, needs:KEY, space or "
        "organization."
    )


def _check_ramp(text: str) -> str:
    first, _, factor = text.partition(",")
    try:
        good = int(first) >= 1 and 1 <= float(factor or 2) <= 1000
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{text!r} is not a ramp. Write the first wave and the factor: 1,2.")
    return text


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WaveFlags:
    """Which apps go first, and when the others follow."""

    waves_by: Annotated[
        str | None,
        Parameter(
            group=_WAVES,
            metavar="WHAT",
            converter=checked(_check_by),
            help="One wave per value: label:KEY, annotation:KEY, space or organization. "
            "needs:KEY: apps named by this annotation go before the app that has it. "
            "label:-KEY reverses the order.",
        ),
    ] = None
    canary: Annotated[
        int | float | None,
        Parameter(
            group=_WAVES,
            metavar="N|SHARE",
            converter=count_or_share,
            help="First this number or share of apps, then all others: 5, 5%.",
        ),
    ] = None
    ramp: Annotated[
        str | None,
        Parameter(
            group=_WAVES,
            metavar="N[,FACTOR]",
            converter=checked(_check_ramp),
            help="Waves that grow: 1,2 takes 1, 2, 4, ... apps.",
        ),
    ] = None
    target_waves: Annotated[
        bool,
        Parameter(
            group=_WAVES,
            help="With several targets: waves of whole targets. --canary 1 takes one first, --ramp "
            "1,2 takes 1, 2, 4, ...",
        ),
    ] = False
    proceed_at: Annotated[
        float | None,
        Parameter(
            group=_WAVES,
            metavar="SHARE",
            converter=share,
            help="Share of a wave that has to be in the requested state before the next begins. "
            "Default: 100%.",
        ),
    ] = None
    max_wave_failures: Annotated[
        int | float | None,
        Parameter(
            group=_WAVES,
            metavar="N|SHARE",
            converter=count_or_share,
            help="Stop after this many failures in one wave, or this share of it.",
        ),
    ] = None
    pause: Annotated[
        float | None,
        Parameter(
            group=_WAVES,
            metavar="TIME",
            converter=duration_or_zero,
            help="Wait between two waves for this time. Default: 0s.",
        ),
    ] = None
    approve: Annotated[
        bool, Parameter(group=_WAVES, help="Ask before each wave. The deadline waits meanwhile.")
    ] = False

    def check(self) -> None:
        """Refuse options that do not go together. Raises InvalidInputError."""
        from aioappsapi import InvalidInputError

        kinds = [self.waves_by, self.canary, self.ramp]
        given = sum(one is not None for one in kinds)
        if given > 1:
            raise InvalidInputError("Give one of --waves-by, --canary and --ramp.")
        if not given and self != WaveFlags():
            raise InvalidInputError(
                "--proceed-at, --max-wave-failures, --pause and --approve are for waves: give "
                "--waves-by, --canary or --ramp, too."
            )

    def waves(self, approve: Callable[[Wave], bool] | None = None) -> Waves | None:
        """Return the waves; None if there are none. `approve` is asked with --approve."""
        from aioappsapi import Waves

        how = self._how(approve)
        if self.canary is not None:
            return Waves.canary(self.canary, **how)
        if self.ramp is not None:
            first, _, factor = self.ramp.partition(",")
            return Waves.ramp(int(first), float(factor or 2), **how)
        if self.waves_by is None:
            return None
        kind, _, key = self.waves_by.partition(":")
        if kind in _PLACES:
            return Waves.by_space(**how) if kind == "space" else Waves.by_organization(**how)
        makers = {
            "label": Waves.by_label,
            "annotation": Waves.by_annotation,
            "needs": Waves.by_needs,
        }
        return makers[kind](key, **how)

    def _how(self, approve: Callable[[Wave], bool] | None) -> WaveOptions:
        how: WaveOptions = {"max_failures": self.max_wave_failures}
        if self.approve:
            how["approve"] = approve
        if self.proceed_at is not None:
            how["proceed_at"] = self.proceed_at
        if self.pause is not None:
            how["pause"] = self.pause
        return how
