"""Output of a command: reports in files, and the result on standard output.

All possible refusals come before the first request. A report that cannot be written afterwards goes
to a new file in the temporary folder, so that no result of a run is lost.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec

from aioappsapi import Report
from aioappsapi.bulk.reports.report import LOADABLE
from aioappsapi.bulk.reports.writers import check_path
from aioappsapi.cli.console import StdoutError, say
from aioappsapi.cli.exits import Exit, strongest
from aioappsapi.cli.flags import JournalFlags, Output, OutputFlags
from aioappsapi.cli.summary import print_report
from aioappsapi.errors import InvalidInputError

# Files that a command reads or keeps, by their purpose.
Roles = Iterable[tuple[str, Path | None]]
# Returns the command that continues a run from the report in a file, if there is such a command.
GoOn = Callable[[Path | None], str | None]


class _ReportHead(msgspec.Struct):
    """The fields that a report has, but no journal, snapshot or other JSON."""

    action: str
    counts: dict[str, int]


class _Compared(msgspec.Struct):
    action: str
    target: str | None


class _ComparisonHead(msgspec.Struct):
    """Recognises a comparison."""

    before: _Compared
    after: _Compared


def check_reports(paths: Iterable[Path], others: Roles) -> None:
    """Refuse report files that cannot be written, or would replace something else.

    `others` are the files that this command reads or keeps. Raises InvalidInputError.
    """
    for path in paths:
        check_path(path)
        check_folder(path)
        check_apart(path, others)
        if not _may_be_replaced(path):
            raise InvalidInputError(
                f"{path} exists and is not a report: it may be a journal or a snapshot. "
                "Choose another file for --report."
            )


def check_journal(
    journal: JournalFlags,
    output: OutputFlags,
    inputs: Roles,
    *,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Refuse files that this command must not write. Raises InvalidInputError.

    `check` checks the place of the journal; by default it has to be a file in a folder.
    """
    path = journal.journal
    if journal.resume and path is None:
        raise InvalidInputError("--resume goes with --journal, the file of the run to resume.")
    check_reports(output.report, [("the journal", path), *inputs])
    if path is not None:
        (check or check_folder)(path)
        check_apart(path, inputs)


def check_folder(path: Path) -> None:
    """Check that a file can be created at a path. Raises InvalidInputError."""
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: there is no folder {path.parent}.")
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder.")


def check_apart(path: Path, others: Roles) -> None:
    """Refuse to write a file that the same command reads or keeps. Raises InvalidInputError."""
    for role, other in others:
        if other is not None and _is_same_file(path, other):
            raise InvalidInputError(f"{path} is {role} of this command: choose another file.")


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist yet
        return os.path.realpath(one) == os.path.realpath(other)


def _may_be_replaced(path: Path) -> bool:
    """Check whether a report may be written to a path: it is free, or has an earlier report."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return True
    except OSError as cause:
        raise InvalidInputError(f"{path} cannot be replaced: {cause.strerror or cause}.") from None
    if not data.lstrip().startswith(b"{"):
        return path.suffix not in LOADABLE or not data.strip()
    return _is_report(data) or _is_report(data.partition(b"\n")[0])


def _is_report(data: bytes) -> bool:
    """Check whether a document is a report or a comparison of reports."""
    return _has(data, _ReportHead) or _has(data, _ComparisonHead)


def _has(data: bytes, head: type[msgspec.Struct]) -> bool:
    try:
        msgspec.json.decode(data, type=head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


# -- after the run


def deliver(
    report: Report[object],
    flags: OutputFlags,
    *,
    go_on: GoOn | None = None,
    show: Callable[[Output], None] | None = None,
    write: Callable[[Path], object] | None = None,
) -> Exit:
    """Write and print the report of a run; return 4 if a file or the output could not be written.

    `go_on` returns the command for the unfinished apps. `show` and `write` replace the output of
    the report.
    """
    write = write or report.write
    written = {path: _write(write, path) for path in flags.report}
    statuses = [*written.values()]
    if not (flags.quiet and flags.output == "text" and report.ok and show is None):
        try:
            (show or partial(print_report, report))(flags.output)
        except StdoutError as cause:
            suffix = ".jsonl" if flags.output == "jsonl" else ".json"
            statuses.append(_rescue(write, suffix, str(cause)))
    if go_on is not None and not report.ok:
        saved = [path for path, status in written.items() if status is Exit.OK]
        _say_how_to_go_on(go_on(next((one for one in saved if one.suffix in LOADABLE), None)))
    return strongest(Exit.OK, *statuses)


def _write(write: Callable[[Path], object], path: Path) -> Exit:
    status = write_or_rescue(write, path, "the report")
    if status is Exit.OK:
        say(f"report written to {path}")
    return status


def _say_how_to_go_on(command: str | None) -> None:
    if command is not None:
        say(f"to continue with the apps that are left: {command}")


def write_or_rescue(write: Callable[[Path], object], path: Path, what: str) -> Exit:
    """Write a file, or else a new one in the temporary folder."""
    try:
        write(path)
    except OSError as cause:
        reason = f"{what} could not be written to {path}: {cause.strerror or cause}"
        return _rescue(write, path.suffix, reason)
    return Exit.OK


def _rescue(write: Callable[[Path], object], suffix: str, reason: str) -> Exit:
    try:
        handle, name = tempfile.mkstemp(prefix="aioappsapi-", suffix=suffix)
        os.close(handle)
        write(Path(name))
    except OSError as cause:
        say(f"{reason}; neither can a temporary file: {cause.strerror or cause}", "error")
    else:
        say(f"{reason}. It is in {name} instead.", "error")
    return Exit.NOT_WRITTEN
