"""The option `--install-completion`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from aioappsapi.cli.values import choice

_SHELLS = ("bash", "zsh", "fish", "powershell")


def install(
    *,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"] | None,
        Parameter(converter=choice(*_SHELLS), help="Default: the shell that runs this command."),
    ] = None,
    file: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Where to write the script. Default: where it belongs."),
    ] = None,
) -> int:
    from aioappsapi.cli.completion import install_completion

    return install_completion(shell, file)
