"""The file of a journal: private, without links, on every platform."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from aioappsapi import InvalidInputError
from aioappsapi.bulk.run import journal as module
from tests.cloud import Cloud
from tests.fakes import virtual
from tests.test_journal import journal

posix = pytest.mark.skipif(sys.platform == "win32", reason="rights and links of POSIX")


@posix
async def test_only_the_owner_can_read_a_journal_and_its_lock(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        journal(tmp_path / "run.journal").close()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "run.journal" in modes


@posix
async def test_a_journal_follows_no_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("")
    (tmp_path / "run.journal").symlink_to(precious)
    with pytest.raises(InvalidInputError, match="symbolic link"):
        journal(tmp_path / "run.journal")
    assert precious.read_text() == ""


@posix
@pytest.mark.timeout(60)  # opened, a pipe would wait for its reader for ever
async def test_a_pipe_is_refused_as_a_journal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.journal")
    with pytest.raises(InvalidInputError, match="not a regular file"):
        journal(tmp_path / "run.journal")


@virtual
async def test_a_journal_works_without_support_for_links_and_folder_flushes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: no O_NOFOLLOW, and a folder cannot be opened."""
    path = tmp_path / "run.journal"
    monkeypatch.setattr(module, "_FLAGS", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    real = os.open

    def no_folders(name: str | Path, *more: int, **kept: int) -> int:
        assert not Path(name).is_dir(), "Windows opens no folder"
        return real(name, *more, **kept)

    cloud = Cloud("a", "b")
    with monkeypatch.context() as patched:
        patched.setattr(module, "_FLUSHES_FOLDERS", False)
        patched.setattr(os, "open", no_folders)
        assert (await cloud.bulk().restart(["a", "b"], journal=path)).ok
        held = journal(path, resume=True, action="restart")
        with pytest.raises(InvalidInputError, match="in use by another run"):
            journal(path, resume=True, action="restart")
        held.close()
        assert (await cloud.bulk().restart(["a", "b"], journal=path, resume=True)).ok
    assert {app.done for app in cloud.apps.values()} == {1}


@pytest.mark.parametrize("name", ["run.json", "run.jsonl", "before.json"])
@virtual
async def test_an_existing_report_or_snapshot_is_refused_as_a_journal(
    name: str, tmp_path: Path
) -> None:
    path, cloud = tmp_path / name, Cloud("a")
    if name == "before.json":
        (await cloud.bulk().snapshot(["a"])).write(path)
    else:
        (await cloud.bulk().start(["a"])).write(path)
    content, sent = path.read_bytes(), len(cloud.seen)
    for resume in (False, True):
        with pytest.raises(InvalidInputError, match="is not a journal"):
            await cloud.bulk().restart(["a"], journal=path, resume=resume)
    assert path.read_bytes() == content
    assert len(cloud.seen) == sent


@virtual
async def test_a_report_or_snapshot_is_never_written_over_a_journal(tmp_path: Path) -> None:
    path, cloud = tmp_path / "run.json", Cloud("a")
    report = await cloud.bulk().start(["a"], journal=path)
    content = path.read_bytes()
    snapshot = await cloud.bulk().snapshot(["a"])
    for write in (report.write, snapshot.write):
        with pytest.raises(InvalidInputError):
            write(path)
    assert path.read_bytes() == content
