"""The journal of a run: the facts that a later process needs, on disk before they happen.

The first line names the run. `lines` describes the other lines. A ``sending`` line is on disk
before its request goes out; many of them share one flush. Other lines are on disk with the next
flush, a fraction of a second later. If the process is killed before that, the next process checks
the app. A restart cannot be checked, so it is `unverified`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import anyio
import msgspec
from filelock import FileLock, Timeout

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.reports.report_json import OutcomeRecord, outcome_record
from aioappsapi.bulk.run.app_run import AppRun, Step
from aioappsapi.bulk.run.lines import Arranged, Ended, Line, Resumed, Sending, line_for, replay
from aioappsapi.bulk.run.states import DONE, State
from aioappsapi.errors import InvalidInputError

log = logging.getLogger("aioappsapi")

SCHEMA: Final = 2

# The seconds that a line waits for others before a flush, unless a request waits for the flush.
_LAG: Final = 0.2

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Line).decode

# A journal names apps and their errors, so only its owner may read it. A link could lead anywhere.
_FLAGS: Final = (
    os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)
_FLUSHES_FOLDERS: Final = os.name == "posix"
# How the first line begins; a snapshot begins with a schema, too.
_HEAD: Final = b'{"schema":%d,"action":' % SCHEMA


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of a journal, which names its run."""

    schema: int
    action: str
    target: str
    started_at: datetime


class _Silent:
    """The listener during a replay. It does nothing: these moves were followed before."""

    def moved(self, run: AppRun, before: State) -> None:
        """Do nothing."""


class Journal:
    """The journal of one run, locked against all other processes while it is open.

    Raises InvalidInputError if the file belongs to another run, is in use, contains a run
    while `resume` is off, is not a journal, or cannot be read and written.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        action: str,
        target: str,
        resume: bool,
        wait: str,
        steps: Sequence[Step],
    ) -> None:
        self.path = Path(path)
        if resume and not self.path.exists():
            # No mistake where the run was killed before it began; but a path may be mistyped.
            log.warning("There is no journal %s to resume: a new run begins.", self.path)
        self._skew = time.time() - loop_time()
        self._runs: dict[str, AppRun] = {}
        self._records: dict[str, OutcomeRecord] = {}
        self.waves: list[tuple[str, list[str]]] | None = None
        self._unsaved = bytearray()
        self._written = self._on_disk = 0
        self._saving: asyncio.Task[None] | None = None
        self._flush_due: asyncio.TimerHandle | None = None
        self.on_flush: Callable[[float], object] | None = None
        self._lock, self._file = self._open()
        try:
            head = Head(schema=SCHEMA, action=action, target=target, started_at=datetime.now(UTC))
            self._begin(head, resume)
            self._resume(wait, steps)
        except OSError as cause:
            self._release()
            raise InvalidInputError(
                f"The journal {self.path} cannot be written: {cause.strerror or cause}."
            ) from None
        except BaseException:
            self._release()
            raise

    # -- the lines of earlier processes

    @property
    def taken_over(self) -> int:
        """The number of apps that earlier processes finished with a proof that is enough."""
        return len(self._records)

    def take(self, key: str) -> AppRun | None:
        """Return the AppRun of an app from the journal, once; None if the journal has none."""
        return self._runs.pop(key, None)

    def outcome(self, key: str) -> Outcome[object]:
        """Return the outcome of an app that an earlier process finished, once."""
        return self._records.pop(key).outcome()

    def _begin(self, head: Head, resume: bool) -> None:
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._lines: list[bytes] = []
        if not whole and _is_torn_head(data):
            self._file.truncate(0)
            self._save_now(_encode(head) + b"\n")
            self._save_name()
            return
        first, *self._lines = whole.splitlines() or [b""]
        self._check(first, head)
        if not resume:
            raise InvalidInputError(
                f"{self.path} already contains a run. Continue it with resume (--resume), "
                "or choose another file."
            )
        # Only after the check that it is a journal: its last line was torn when the process ended.
        self._file.truncate(len(whole))

    def _check(self, first: bytes, head: Head) -> None:
        try:
            found = msgspec.json.decode(first, type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidInputError(f"{self.path} is not a journal.") from None
        if found.schema != SCHEMA:
            raise InvalidInputError(
                f"{self.path} has schema {found.schema}; this version reads schema {SCHEMA}."
            )
        if (found.action, found.target) != (head.action, head.target):
            raise InvalidInputError(
                f"{self.path} is the journal of `{found.action}` at {found.target}, "
                f"not of `{head.action}` at {head.target}."
            )

    def _resume(self, wait: str, steps: Sequence[Step]) -> None:
        silent = _Silent()
        for line in self._read_lines():
            if isinstance(line, Resumed):
                self._resume_all(line.wait)
                continue
            if isinstance(line, Arranged):
                self.waves = line.waves
                continue
            run = self._runs.get(line.key)
            if run is None:
                run = self._runs[line.key] = AppRun(0, line.key, steps, silent)
            replay(run, line, self._skew)
            if isinstance(line, Ended):
                self._records[line.key] = line.outcome
        self._resume_all(wait)
        self._save_now(_encode(Resumed(wait, time.time())) + b"\n")

    def _resume_all(self, wait: str) -> None:
        for run in self._runs.values():
            run.resumed(wait)
            if run.state is not DONE:
                self._records.pop(run.key, None)

    def _read_lines(self) -> Iterator[Line]:
        lines, self._lines = self._lines, []
        for number, line in enumerate(lines, 2):
            try:
                yield _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise InvalidInputError(f"{self.path}: line {number} is broken.") from None

    def has_finished(self, keys: Sequence[str]) -> bool:
        """Check whether an earlier process finished all of these apps."""
        return all(key in self._records for key in keys)

    # -- new lines

    def arranged(self, waves: list[tuple[str, list[str]]]) -> None:
        """Note the waves. They are on disk before any request is."""
        self._write(Arranged(waves))

    async def sending(self, run: AppRun) -> None:
        """Write that the request of a step is about to go out; return when that is on disk.

        Raises OSError if it cannot be written.
        """
        run.sending()
        self._write(Sending(run.key, run.step, run.made, None if run.made is None else time.time()))
        mine = self._written
        while self._on_disk < mine:
            self._saving = self._saving or self._new_save()
            await asyncio.shield(self._saving)

    def moved(self, run: AppRun, outcome: Outcome[object] | None) -> None:
        """Write a move, if a later process needs it. `outcome` is set once the app is done."""
        record = None if outcome is None or not run.journaled else outcome_record(outcome)
        if (line := line_for(run, self._skew, record)) is not None:
            self._write(line)
            if self._flush_due is None:
                self._flush_due = asyncio.get_running_loop().call_later(_LAG, self._flush)

    def _flush(self) -> None:
        """Save lines for which no request waits. If that fails, they wait for the next flush."""
        self._flush_due = None
        if self._unsaved and self._saving is None:
            self._saving = self._new_save()

    def _new_save(self) -> asyncio.Task[None]:
        saving = asyncio.create_task(self._save(), name="aioappsapi journal")
        saving.add_done_callback(_retrieve)
        return saving

    def _write(self, line: Line) -> None:
        self._unsaved += _encode(line)
        self._unsaved += b"\n"
        self._written += 1

    # -- the file

    def _open(self) -> tuple[FileLock, IO[bytes]]:
        lock = FileLock(f"{self.path}.lock", blocking=False, mode=0o600)
        try:
            if self.path.exists() and not self.path.is_file():
                raise InvalidInputError(f"The journal {self.path} is not a regular file.")
            self.path.parent.stat()  # otherwise the lock would create the folder
            lock.acquire()
            file = os.fdopen(os.open(self.path, _FLAGS, 0o600), "r+b", buffering=0)
        except Timeout:
            raise InvalidInputError(
                f"The journal {self.path} is in use by another run. Wait for it to end."
            ) from None
        except OSError as cause:
            lock.release()
            text = "it is a symbolic link" if self.path.is_symlink() else cause.strerror or cause
            raise InvalidInputError(f"The journal {self.path} cannot be opened: {text}.") from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            lock.release()
            raise InvalidInputError(f"The journal {self.path} is not a regular file.")
        return lock, file

    def _release(self) -> None:
        self._file.close()
        self._lock.release()

    async def aclose(self) -> None:
        """Wait for a flush in progress, save the other lines, and close.

        Without lines that cannot be saved, a later run makes more checks but loses no outcome.
        """
        try:
            if (saving := self._saving) is not None:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([saving])
        finally:  # a second cancellation ignores the shield
            try:
                self.close()
            except OSError as cause:
                text = f"The last outcomes are not in the journal {self.path}: {cause.strerror}"
                log.error(text)  # noqa: TRY400 - its traceback adds nothing

    def close(self) -> None:
        """Save all unsaved lines, and unlock the file. Raises OSError."""
        if self._flush_due is not None:
            self._flush_due.cancel()
        if not self._file.closed:
            try:
                self._save_now(self._take_unsaved())
            finally:
                self._release()

    def _take_unsaved(self) -> bytes:
        data, self._unsaved = bytes(self._unsaved), bytearray()
        return data

    async def _save(self) -> None:
        upto, data = self._written, self._take_unsaved()
        begun = loop_time()
        try:
            await asyncio.to_thread(self._save_now, data)
            self._on_disk = upto
            if self.on_flush is not None:
                self.on_flush(loop_time() - begun)
        except OSError:
            self._unsaved[:0] = data
            raise
        finally:
            # Not in a callback: a waiter wakes up before it, and must see that no save is in
            # progress.
            self._saving = None

    def _save_now(self, data: bytes) -> None:
        """Save all lines or none: a torn line in the middle would break the journal."""
        size = os.fstat(self._file.fileno()).st_size
        left = memoryview(data)
        try:
            while left:  # a nearly full disk may write only a part
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as cause:
            with suppress(OSError):
                self._file.truncate(size)
            raise OSError(cause.errno, cause.strerror, str(self.path)) from None

    def _save_name(self) -> None:
        """Flush the folder too, which holds the file's name. Windows does that by itself."""
        if _FLUSHES_FOLDERS:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _is_torn_head(data: bytes) -> bool:
    """Check whether a file without a complete line is a journal, torn in its first line."""
    return data[: len(_HEAD)] == _HEAD[: len(data)]


def _retrieve(saving: asyncio.Task[None]) -> None:
    """Retrieve a failure, so that asyncio does not warn where all waiters were cancelled."""
    _ = saving.cancelled() or saving.exception()
