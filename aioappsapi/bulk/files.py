"""Files of a run: written completely or not at all, and only over files of the same kind.

Reports and snapshots are written here. Journals, which grow line by line, are not.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from aioappsapi.errors import InvalidInputError

S = TypeVar("S")

_PRIVATE: Final = 0o600
# Enough of a file to recognise it.
_BEGINNING: Final = 4096
_TAKEN_AT: Final = re.compile(rb'(?<!\\)"taken_at"\s*:')


def decode_json(data: bytes, cls: type[S]) -> S:
    """Read a JSON document of a type. Raises ValueError, also for too deep nesting."""
    try:
        return msgspec.json.decode(data, type=cls)
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_replaceable(path: Path) -> None:
    """Check that a report may be written to a path, and may replace an existing file there.

    Raises InvalidInputError for a folder, a pipe, a device, a journal and a snapshot.
    """
    _check_kind(path)
    if (kind := _kept_kind(path)) is not None:
        raise InvalidInputError(
            f"{path} is a {kind}, which a report must not replace: choose another file."
        )


def check_no_journal(path: Path) -> None:
    """Check that a path holds no journal. Raises InvalidInputError."""
    if path.is_file() and _kept_kind(path) == "journal":
        raise InvalidInputError(f"{path} is a journal: choose another file.")


def write_atomically(path: Path, chunks: Iterable[str]) -> None:
    """Write text to a file; an interruption leaves the old file unchanged.

    A link is followed. An existing file keeps its mode and, if permitted, its owner; a new one
    gets the mode of the umask. Raises InvalidInputError for a folder, a pipe or a device, OSError
    if the file cannot be written.
    """
    _check_kind(path)
    target = Path(os.path.realpath(path))
    try:
        existing = target.stat()
    except FileNotFoundError:
        existing = None
    _replace(path, target, chunks, mode=0o666, existing=existing)


def write_private(path: Path, chunks: Iterable[str]) -> None:
    """Write text to a file that only its owner can read; otherwise as `write_whole`.

    A link is refused: it could point at a file that others can read.
    """
    if path.is_symlink():
        raise InvalidInputError(f"{path} is a link: name the file itself.")
    _check_kind(path)
    _replace(path, path, chunks, mode=_PRIVATE, existing=None)


def _replace(
    path: Path,
    target: Path,
    chunks: Iterable[str],
    *,
    mode: int,
    existing: os.stat_result | None,
) -> None:
    # In the same folder: a file can be replaced in one step only within its file system.
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, mode), "wb") as file:
            for chunk in chunks:
                file.write(chunk.encode())
            file.flush()
            os.fsync(file.fileno())
        if existing is not None:
            _copy_rights(existing, part)
        part.replace(target)
    except BaseException as failure:
        part.unlink(missing_ok=True)
        if isinstance(failure, OSError):
            failure.filename = str(path)  # instead of the temporary file's name
            failure.filename2 = None
        raise


def _copy_rights(existing: os.stat_result, part: Path) -> None:
    with suppress(OSError, AttributeError):  # only root may give files away; Windows has no chown
        os.chown(part, existing.st_uid, existing.st_gid)
    part.chmod(stat.S_IMODE(existing.st_mode))


def _check_kind(path: Path) -> None:
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "pipe or device"
        raise InvalidInputError(f"{path} is a {kind}: name a file.")


def _kept_kind(path: Path) -> str | None:
    """Recognise a file that a report must not replace, by its beginning."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
    except OSError:
        return None  # does not exist, or cannot be read: writing says why
    if not beginning.lstrip().startswith(b"{"):
        return None
    if _TAKEN_AT.search(beginning):
        return "snapshot"
    with suppress(ValueError):
        head = decode_json(beginning.partition(b"\n")[0], dict[str, msgspec.Raw])
        # A report in JSON Lines begins like a journal, but has counts.
        if {"schema", "action"} <= head.keys() and "counts" not in head:
            return "journal"
    return None
