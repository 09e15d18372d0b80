"""A misspelled or misplaced option is a TypeError before anything is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import Snapshot
from aioappsapi.bulk import Bulk
from tests.cloud import Cloud
from tests.fakes import virtual

Call = Callable[..., Awaitable[Any]]


async def _stream(bulk: Bulk, **options: Any) -> None:
    async with bulk.stream("start", ["a"], **options):
        pass


def calls(cloud: Cloud, snapshot: Snapshot) -> dict[str, Call]:
    bulk, apps = cloud.bulk(), cloud.apps_on()
    return {
        "start": lambda **options: bulk.start(["a"], **options),
        "stop": lambda **options: bulk.stop(["a"], **options),
        "restart": lambda **options: bulk.restart(["a"], **options),
        "map": lambda **options: bulk.map(apps.stop, ["a"], **options),
        "plan": lambda **options: bulk.plan("start", ["a"], **options),
        "stream": lambda **options: _stream(bulk, **options),
        "restore": lambda **options: bulk.restore(snapshot, **options),
    }


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("start", {"dryrun": True}, "Did you mean 'dry_run'?"),
    ("stop", {"dead_line": 5}, "Did you mean 'deadline'?"),
    ("restart", {"wiat": "all"}, "Did you mean 'wait'?"),
    ("map", {"dry_run": True}, "It has: "),
    ("map", {"wait": "all"}, "It has: "),
    ("map", {"journal": "run.journal"}, "It has: "),
    ("plan", {"max_failure": 3}, "Did you mean 'max_failures'?"),
    ("plan", {"keep": False}, "It has: "),
    ("stream", {"dryrun": True}, "Did you mean 'dry_run'?"),
    ("stream", {"concurency": 5}, "Did you mean 'concurrency'?"),
    ("restore", {"dryrun": True}, "Did you mean 'dry_run'?"),
    ("restore", {"keep": False}, "It has: "),
]


@pytest.mark.parametrize(("name", "options", "hint"), WRONG, ids=str)
@virtual
async def test_an_unknown_option_is_a_type_error_before_anything_is_sent(
    name: str, options: dict[str, Any], hint: str
) -> None:
    cloud = Cloud("a")
    snapshot = await cloud.bulk().snapshot(["a"])
    sent = len(cloud.seen)
    [wrong] = options
    with pytest.raises(TypeError) as caught:
        await calls(cloud, snapshot)[name](**options)
    assert f"{name}() has no option {wrong!r}. {hint}" in str(caught.value)
    assert len(cloud.seen) == sent


@virtual
async def test_a_misplaced_option_leaves_no_journal_behind(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    with pytest.raises(TypeError):
        await Cloud("a").bulk().start(["a"], journal=path, resum=True)  # type: ignore[call-arg]
    assert list(tmp_path.iterdir()) == []
