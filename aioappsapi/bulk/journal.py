"""What a run has begun and what came of it, on disk before it happens.

One line of JSON says which run it is, then one line for each app that is about to be asked, one
where the server accepted that and instances are to prove it, and one for each outcome. A line that
an app is about to be asked is on disk before the request goes out; many of them share one flush. So
whatever ends the process, a later run knows what is done, what was not begun, and what was in
flight.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Literal

import anyio
import msgspec

from aioappsapi._http.retry.policy import Meaning, classify
from aioappsapi.bulk.outcome import Outcome, Status
from aioappsapi.bulk.records import OutcomeRecord, outcome_record
from aioappsapi.errors import InvalidInputError

try:
    import fcntl
except ModuleNotFoundError:  # not on Windows, where nobody else is kept out
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("aioappsapi")

SCHEMA: Final = 1

# Outcomes that a resumed run takes over as they are.
_FINAL: Final = frozenset({Status.OK, Status.ALREADY})


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """Which run a journal is of."""

    schema: int
    action: str
    target: str
    started_at: datetime


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to an app. `doubtful`: it may have been carried out all the same."""

    event: Literal["begun", "accepted", "ended"]
    key: str
    doubtful: bool = False
    outcome: OutcomeRecord | None = None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier run left behind.

    What is done, what it may have done, and what the server had accepted, whatever came of it then.
    """

    done: dict[str, Outcome[object]] = {}
    doubtful: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()


class Journal:
    """The journal of one run, held against everybody else while it is open.

    Raises InvalidInputError if the file is of another run, is in use, holds a run that nobody asked
    to resume, is no journal, or cannot be read and written.
    """

    def __init__(self, path: str | Path, *, action: str, target: str, resume: bool) -> None:
        self.path = Path(path)
        if resume and not self.path.exists():
            # No mistake where the run was killed before it had begun; but a path may be mistyped.
            log.warning("there is no journal %s to resume: a new run begins", self.path)
        self._file = self._open()
        try:
            self.past = self._take_over(action, target, resume=resume)
        except OSError as cause:
            self._file.close()
            raise InvalidInputError(
                f"The journal {self.path} cannot be written: {cause.strerror or cause}."
            ) from None
        except BaseException:
            self._file.close()
            raise
        self._unsaved: list[bytes] = []
        self._written = self._on_disk = 0
        self._saving: asyncio.Task[None] | None = None

    def _open(self) -> IO[bytes]:
        if self.path.exists() and not self.path.is_file():
            raise InvalidInputError(f"The journal {self.path} cannot be opened: it is no file.")
        try:
            file = self.path.open("a+b", buffering=0)
        except OSError as cause:
            raise InvalidInputError(
                f"The journal {self.path} cannot be opened: {cause.strerror or cause}."
            ) from None
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                raise InvalidInputError(
                    f"The journal {self.path} is in use by another run; wait for it to end."
                ) from None
        return file

    def _take_over(self, action: str, target: str, *, resume: bool) -> Past:
        self._file.seek(0)
        data = self._file.read()
        if not data:
            head = _Head(schema=SCHEMA, action=action, target=target, started_at=datetime.now(UTC))
            self._save_now(msgspec.json.encode(head) + b"\n")
            self._save_name()
            return Past()
        whole = data[: data.rfind(b"\n") + 1]
        first, *rest = whole.splitlines() or [b""]
        self._check(first, action, target)
        if not resume:
            raise InvalidInputError(
                f"The journal {self.path} holds a run already: resume it, or name another file."
            )
        past = _past(self._lines(rest))
        # Only now that it is surely our own: the last line was torn when the process ended.
        self._file.truncate(len(whole))
        return past

    def _check(self, first: bytes, action: str, target: str) -> None:
        try:
            head = msgspec.json.decode(first, type=_Head)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidInputError(f"{self.path} is not a journal.") from None
        if head.schema != SCHEMA:
            raise InvalidInputError(f"{self.path} is of schema {head.schema}; {SCHEMA} is known.")
        if (head.action, head.target) != (action, target):
            raise InvalidInputError(
                f"{self.path} is the journal of `{head.action}` at {head.target}, "
                f"not of `{action}` at {target}."
            )

    def _lines(self, lines: list[bytes]) -> Iterator[_Line]:
        for number, line in enumerate(lines, 2):
            try:
                yield msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise InvalidInputError(f"{self.path}: line {number} is broken.") from None

    async def begun(self, key: str) -> None:
        """Note that an app is about to be asked; comes back when that is on disk.

        Raises OSError if it cannot be had there.
        """
        self._write(_Line(event="begun", key=key))
        mine = self._written
        while self._on_disk < mine:
            if self._saving is None:
                self._saving = asyncio.create_task(self._save(), name="aioappsapi journal")
                self._saving.add_done_callback(_known)
            await asyncio.shield(self._saving)

    def accepted(self, key: str) -> None:
        """Note that the server accepted what was asked; on disk with the next app, or the end."""
        self._write(_Line(event="accepted", key=key))

    def ended(self, outcome: Outcome[object], *, ambiguous: bool) -> None:
        """Note an outcome. It is on disk with the next app that is begun, or at the end.

        `ambiguous`: some attempt, of this run or an earlier one, may have been carried out.

        Should it be lost before, the app counts as in flight, and is looked at.
        """
        line = _Line(
            event="ended",
            key=outcome.key,
            doubtful=ambiguous or _is_doubtful(outcome),
            outcome=outcome_record(outcome),
        )
        self._write(line)

    async def aclose(self) -> None:
        """Let a flush that is under way end, then close.

        Outcomes that cannot be saved are no loss but of time: a resumed run looks at their apps.
        """
        try:
            if (saving := self._saving) is not None:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([saving])
        finally:  # a second cancellation does not mind the shield
            try:
                self.close()
            except OSError as cause:
                said = f"the last outcomes are not in the journal {self.path}: {cause}"
                log.error(said)  # noqa: TRY400 - where it came from helps nobody

    def close(self) -> None:
        """Save what is not saved, and let others at the file. Raises OSError."""
        if not self._file.closed:
            try:
                self._save_now(self._taken())
            finally:
                self._file.close()

    def _write(self, line: _Line) -> None:
        self._unsaved.append(msgspec.json.encode(line) + b"\n")
        self._written += 1

    def _taken(self) -> bytes:
        lines, self._unsaved = self._unsaved, []
        return b"".join(lines)

    async def _save(self) -> None:
        upto = self._written
        try:
            await asyncio.to_thread(self._save_now, self._taken())
            self._on_disk = upto
        finally:
            # Here and not in a callback: whoever waits comes back first, and needs another one.
            self._saving = None

    def _save_now(self, data: bytes) -> None:
        """Have all of it on disk, or nothing: more may be written behind it."""
        size = os.fstat(self._file.fileno()).st_size
        left = memoryview(data)
        try:
            while left:  # a disk that is nearly full takes a part
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            with suppress(OSError):
                self._file.truncate(size)
            raise

    def _save_name(self) -> None:
        """Have the file's name on disk as well, which is for its folder to keep."""
        if fcntl is not None:  # Windows keeps it with the file
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _known(saving: asyncio.Task[None]) -> None:
    """Take note of a failure, so that nobody warns where all who waited for it were cancelled."""
    _ = saving.cancelled() or saving.exception()


def _is_doubtful(outcome: Outcome[object]) -> bool:
    if not outcome.attempts:
        return False
    if outcome.status in {Status.TIMED_OUT, Status.CANCELLED, Status.UNVERIFIED}:
        return True
    return outcome.error is not None and classify(outcome.error)[0] is Meaning.AMBIGUOUS


def _past(lines: Iterator[_Line]) -> Past:
    done: dict[str, Outcome[object]] = {}
    doubtful: set[str] = set()
    accepted: set[str] = set()
    for line in lines:
        if line.event == "accepted":
            accepted.add(line.key)
            continue
        if line.event == "begun" or line.outcome is None:
            doubtful.add(line.key)
            continue
        outcome = line.outcome.outcome()
        if outcome.status in _FINAL:
            done[line.key] = outcome
        if outcome.time_to_accept is not None:
            accepted.add(line.key)
        if not line.doubtful:
            doubtful.discard(line.key)
    return Past(
        done=done,
        doubtful=frozenset(doubtful - done.keys()),
        accepted=frozenset(accepted - done.keys()),
    )
