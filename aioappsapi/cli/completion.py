"""Completion of commands and options: a static script, so that completing runs no Python."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cyclopts.completion import ShellDetectionError

from aioappsapi.cli.commands import app
from aioappsapi.cli.console import fail, say
from aioappsapi.cli.exits import Exit

Shell = Literal["bash", "zsh", "fish", "powershell"]


def install_completion(shell: Shell | None, file: Path | None) -> Exit:
    """Write the completion script of a shell; without a file name, also make the shell load it."""
    try:
        path = app.install_completion(shell=shell, output=file, add_to_startup=file is None)
    except ShellDetectionError as unknown:
        message = "Your shell is not known: name it with --shell bash, zsh, fish or powershell."
        return fail(unknown, Exit.USAGE, "text", message=message)
    except OSError as cause:
        message = f"completion could not be installed: {cause.filename}: {cause.strerror}"
        return fail(cause, Exit.NOT_WRITTEN, "text", message=message)
    when = "It works in the next shell that you open." if file is None else "Load it in your shell."
    say(f"completion is in {path}. {when}")
    return Exit.OK
