"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text to a file; an interruption leaves what was there before. Raises OSError.

    Where the path is a link, what it points to is replaced. The file is made anew, with the usual
    rights of a new file.
    """
    target = Path(os.path.realpath(path))
    # Beside the target: only within one file system is replacing a single step.
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
