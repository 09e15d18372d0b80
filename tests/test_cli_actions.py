"""The commands `restart --strategy rolling`, `restage` and `scale`."""

from __future__ import annotations

import json

import pytest

from tests.command_line import run

pytestmark = pytest.mark.usefixtures("sandbox_thread")

SANDBOX = ("--all", "--sandbox", "4", "--profile", "none", "--no-progress")


def test_a_rolling_restart_ends_with_0() -> None:
    result = run("restart", *SANDBOX, "--strategy", "rolling", "--output", "json")
    assert result.exit_code == 0, result
    document = json.loads(result.stdout)
    assert document["action"] == "restart"
    assert document["counts"]["total"] == 4


def test_a_restage_ends_with_0() -> None:
    result = run("restage", *SANDBOX, "--max-building", "2", "--output", "json")
    assert result.exit_code == 0, result
    assert json.loads(result.stdout)["counts"]["ok"] == 4


def test_a_scale_skips_apps_that_have_the_numbers() -> None:
    result = run("scale", *SANDBOX, "--instances", "1", "--output", "json")
    assert result.exit_code == 0, result
    assert json.loads(result.stdout)["counts"]["already"] == 4


@pytest.mark.parametrize("action", ["restage", "scale", "restart"])
def test_a_dry_run_predicts_and_ends_with_0(action: str) -> None:
    more = {"scale": ("--instances", "3"), "restart": ("--strategy", "rolling"), "restage": ()}
    result = run(action, *SANDBOX, *more[action], "--dry-run")
    assert result.exit_code == 0, result
    assert f"dry run: would {action} 4 apps" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scale",), "--instances"),
        (("restart", "--max-in-flight", "2"), "rolling"),
        (("restart", "--strategy", "rolling", "--canary-steps", "50,10"), "10,50"),
        (("start", "--strategy", "rolling"), "--strategy"),
    ],
)
def test_options_that_do_not_fit_end_with_2(words: tuple[str, ...], said: str) -> None:
    result = run(words[0], *SANDBOX, *words[1:])
    assert result.exit_code == 2, result
    assert said in result.stderr
