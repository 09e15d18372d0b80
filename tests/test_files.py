"""Files: written completely or not at all, with the right mode, and not over another file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from aioappsapi import Client, InvalidInputError, PasswordGrant
from aioappsapi.bulk.files import check_replaceable, decode_json, write_atomically, write_private
from aioappsapi.sandbox import Sandbox

JOURNAL = '{"schema":2,"action":"start","target":"https://api.test","started_at":"x"}\n'
SNAPSHOT = '{\n "schema": 2,\n "taken_at": "2026-01-01T00:00:00Z",\n "apps": []\n}\n'


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_atomically(path, ["a", "b"])
    assert path.read_text() == "ab"
    assert mode(path) == 0o640


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")
    path.chmod(0o604)
    write_atomically(path, ["after"])
    assert path.read_text() == "after"
    assert mode(path) == 0o604


def test_a_private_file_becomes_readable_only_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text("before")
    path.chmod(0o644)
    write_private(path, ["after"])
    assert path.read_text() == "after"
    assert mode(path) == 0o600


def test_a_private_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "snapshot.json"
    link.symlink_to("elsewhere.json")
    with pytest.raises(InvalidInputError, match="is a link"):
        write_private(link, ["x"])
    assert not (tmp_path / "elsewhere.json").exists()


@pytest.mark.parametrize("write", [write_atomically, write_private])
def test_an_interruption_leaves_the_file_as_it_was(tmp_path: Path, write: object) -> None:
    path = tmp_path / "report.json"
    path.write_text("before")

    def interrupted() -> Iterator[str]:
        yield "half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted())  # type: ignore[operator]
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "report.json"
    with pytest.raises(OSError, match=r"No space left on device: .*report\.json"):
        write_atomically(path, ["x"])
    with pytest.raises(FileNotFoundError, match=r"none/report\.json"):
        write_atomically(tmp_path / "none" / "report.json", ["x"])


@pytest.mark.parametrize("write", [write_atomically, write_private])
def test_pipes_and_devices_and_folders_are_refused(tmp_path: Path, write: object) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/null")):
        with pytest.raises(InvalidInputError, match="pipe or device"):
            write(path, ["x"])  # type: ignore[operator]
    with pytest.raises(InvalidInputError, match="folder"):
        write(tmp_path, ["x"])  # type: ignore[operator]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize(
    ("content", "kind"), [(JOURNAL, "journal"), (SNAPSHOT, "snapshot"), (JOURNAL[:-1], "journal")]
)
def test_a_journal_or_snapshot_may_not_be_replaced(tmp_path: Path, content: str, kind: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(InvalidInputError, match=f"is a {kind}, which a report must not replace"):
        check_replaceable(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "notes",
        "[" * 5000,
        '{"a":' * 5000,
        '{"schema":1,"action":"start","counts":{}}\n',
        '{"outcomes":[{"name":"\\"taken_at\\": "}]}',
    ],
)
def test_other_files_may_be_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    check_replaceable(path)
    check_replaceable(tmp_path / "new.json")


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000])
def test_endless_nesting_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_json(data, object)


async def test_the_journal_of_a_real_run_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    async with (
        Sandbox(2) as cloud,
        Client(cloud.url, auth=PasswordGrant("admin", "admin"), proxy="") as client,
    ):
        report = await client.bulk.start(list(cloud.apps), journal=path)
    with pytest.raises(InvalidInputError, match="is a journal"):
        report.write(path)
