"""The command line at several named targets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aioappsapi import Report
from aioappsapi.sandbox import Sandbox, SandboxThread
from tests.command_line import run


def nowhere(clouds: dict[str, Sandbox]) -> str:
    """The address of `us-2`, which is no Cloud Foundry: that shows without retries."""
    return f"{clouds['eu-1'].url}/nowhere"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Sandbox]]:
    """Two sandboxes as the targets `eu-1` and `us-1`; `us-2` cannot be used."""
    with ExitStack() as stack:
        clouds = {
            name: stack.enter_context(SandboxThread(Sandbox(5, seed=seed)))
            for seed, name in enumerate(("eu-1", "us-1"))
        }
        lines = [f'[targets.{name}]\napi = "{cloud.url}"\n' for name, cloud in clouds.items()]
        config = '[defaults]\nusername = "admin"\npassword_env = "FLEET_PASSWORD"\n'
        config += "".join(lines) + f'[targets.us-2]\napi = "{nowhere(clouds)}"\n'
        (tmp_path / "config.toml").write_text(config, encoding="utf-8")
        monkeypatch.setenv("AIOAPPSAPI_CONFIG", str(tmp_path / "config.toml"))
        monkeypatch.setenv("FLEET_PASSWORD", "admin")
        monkeypatch.delenv("CF_API", raising=False)
        monkeypatch.chdir(tmp_path)
        yield clouds


BOTH = ("--target", "eu-1", "--target", "us-1")


def test_a_run_at_several_targets_has_one_report(named: dict[str, Sandbox]) -> None:
    done = run("start", "--all", "--target", "*-1", "--yes", "--output", "json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["target"] is None
    assert report["targets"] == [cloud.url for cloud in named.values()]
    assert report["counts"]["ok"] == 10
    assert {one["target"] for one in report["outcomes"]} == set(report["targets"])


def test_a_target_that_cannot_be_used_is_named_and_the_others_run(
    named: dict[str, Sandbox],
) -> None:
    done = run("start", "--all", "--all-targets", "--yes", "--report", "r.json", "--quiet")
    assert done.exit_code == 1
    assert "All 10 apps are in the requested state." in done.stdout
    assert f"{nowhere(named)} could not be used" in done.stdout
    assert "start --all --yes --report r.json --quiet --target us-2" in done.stderr
    assert "@r.json" not in done.stderr, "nothing is left of the others"
    assert list(Report.load("r.json").target_errors) == [nowhere(named)]


def test_no_target_can_be_used(named: dict[str, Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_PASSWORD", "wrong")
    done = run("start", "--all", *BOTH)
    assert done.exit_code == 3
    assert "login" in done.stderr
    assert not done.stdout


def test_one_named_target_is_like_any_other(named: dict[str, Sandbox]) -> None:
    done = run("stop", "--all", "--target", "eu-*", "--output", "json")
    assert json.loads(done.stdout)["target"] == named["eu-1"].url
    assert run("apps", "list", "--target", "us-1").exit_code == 0


def test_names_are_looked_up_at_every_target(named: dict[str, Sandbox]) -> None:
    named["us-1"].add_app("only-here")
    guid = next(iter(named["eu-1"].apps))
    done = run("start", "only-here", guid, *BOTH, "--output", "json")
    assert done.exit_code == 0, done.output
    found = [(one["target"], one["name"]) for one in json.loads(done.stdout)["outcomes"]]
    name = named["eu-1"].apps[guid].name
    assert found == [(named["eu-1"].url, name), (named["us-1"].url, "only-here")]
    unknown = run("start", "only-here", "nowhere", *BOTH)
    assert unknown.exit_code == 2
    assert "called 'nowhere'" in unknown.stderr
    skipped = run("start", "only-here", "nowhere", "--skip-unknown", *BOTH)
    assert skipped.exit_code == 0
    assert "'nowhere': skipped" in skipped.stderr


def test_a_report_of_several_targets_goes_on_where_it_ended(
    named: dict[str, Sandbox],
) -> None:
    apps = [next(iter(cloud.apps.values())) for cloud in named.values()]
    for app in apps:
        app.droplet = None
    first = run("start", "--all", *BOTH, "--report", "r.json", "--quiet")
    assert first.exit_code == 1
    assert "start @r.json --target eu-1 --target us-1" in first.stderr
    for cloud in named.values():
        assert f"{cloud.url}: 4 ok, 1 failed" in first.stdout
    again = run("start", "@r.json", *BOTH, "--output", "json")
    assert {one["key"] for one in json.loads(again.stdout)["outcomes"]} == {a.guid for a in apps}
    other = run("start", "@r.json", "--target", "eu-1", "--target", "us-2")
    assert other.exit_code == 2
    assert f"r.json has apps of {named['us-1'].url}" in other.stderr


def test_a_journal_folder_resumes(named: dict[str, Sandbox]) -> None:
    words = ("restart", "--all", *BOTH, "--journal", "night", "--output", "json")
    assert run(*words).exit_code == 0
    again = json.loads(run(*words, "--resume").stdout)
    assert again["requests"]["sent"] == 0
    assert again["counts"]["ok"] == 10
    Path("file").write_text("")
    refused = run("restart", "--all", *BOTH, "--journal", "file")
    assert refused.exit_code == 2
    assert "Several targets need a folder" in refused.stderr


def test_a_dry_run_changes_nothing(named: dict[str, Sandbox]) -> None:
    done = run("start", "--all", "--all-targets", "--dry-run")
    assert done.exit_code == 0
    assert "would start 10 apps at 3 targets" in done.stdout
    assert f"{nowhere(named)} could not be used" in done.stdout
    states = {app.state for cloud in named.values() for app in cloud.apps.values()}
    assert states == {"STOPPED"}


def test_failures_at_one_target_stop_that_one(named: dict[str, Sandbox]) -> None:
    for app in named["eu-1"].apps.values():
        app.droplet = None
    limit = ("--max-failures-per-target", "1", "--concurrency", "1")
    done = run("start", "--all", *BOTH, *limit, "--output", "json")
    counts = json.loads(done.stdout)["counts"]
    assert (counts["ok"], counts["failed"], counts["not_attempted"]) == (5, 1, 4)
    assert run("start", "--all", "--target", "eu-1", *limit).exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "eu1"), "There is no target eu1. Did you mean eu-1?"),
        (("--target", "eu-1", "--all-targets"), "--target does not go with --all-targets"),
        (("--target", "eu-1", "--sandbox", "3"), "--sandbox does not go with --target"),
        (("--all-targets", "--insecure"), "--insecure does not go with --target"),
        ((*BOTH, "--org", "nope"), "No organization 'nope'"),
        ((*BOTH, "--name", "nope*"), "No app at any target matches"),
    ],
)
def test_what_does_not_fit_is_refused(
    named: dict[str, Sandbox], words: tuple[str, ...], said: str
) -> None:
    done = run("start", "--all", *words)
    assert done.exit_code == 2, done.output
    assert said in done.stderr


def test_commands_for_one_target_refuse_several(named: dict[str, Sandbox]) -> None:
    done = run("apps", "list", *BOTH)
    assert done.exit_code == 2
    assert "works on one target, not on 2: eu-1, us-1" in done.stderr


def test_targets_says_who_is_where(
    named: dict[str, Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("targets", "*-1").exit_code == 0
    monkeypatch.setenv("FLEET_PASSWORD", "wrong-word")
    every = run("targets")
    assert every.exit_code == 1
    assert every.stdout.count("cannot be used") == 3
    assert "wrong-word" not in every.output
    monkeypatch.setenv("FLEET_PASSWORD", "admin")
    done = json.loads(run("targets", "--output", "json").stdout)
    assert [one["usable"] for one in done["targets"]] == [True, True, False]
    eu = done["targets"][0]
    assert (eu["name"], eu["user"], eu["roles"]) == ("eu-1", "admin", {"admin": 1})
    assert done["targets"][2]["error"]["type"] == "TargetError"
    lines = run("targets", "--output", "jsonl").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["eu-1", "us-1", "us-2"]
    monkeypatch.delenv("FLEET_PASSWORD")
    assert "FLEET_PASSWORD (password_env) is not set" in run("targets", "eu-1").stdout


def test_a_secret_in_the_file_is_usage(named: dict[str, Sandbox]) -> None:
    Path("config.toml").write_text('[targets.eu]\npassword = "hunter2"\n', encoding="utf-8")
    for words in (("targets",), ("start", "--all", "--all-targets")):
        done = run(*words)
        assert done.exit_code == 2
        assert "targets.eu.password is a secret" in done.stderr
        assert "hunter2" not in done.output


def test_names_of_targets_are_completed(named: dict[str, Sandbox]) -> None:
    for words in (("start", "--target"), ("targets",)):
        done = run("__complete", *words, "")
        assert {"eu-1", "us-1", "us-2"} <= set(done.stdout.split())


def test_one_target_goes_first(named: dict[str, Sandbox]) -> None:
    for app in named["eu-1"].apps.values():
        app.droplet = None
    waves = ("--target-waves", "--canary", "1")
    done = run("start", "--all", *BOTH, *waves, "--output", "json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert (report["counts"]["failed"], report["counts"]["not_attempted"]) == (5, 5)
    assert "wave 1 of 2 (canary) ended with 0 of 5 apps" in report["stopped"]
    assert {app.state for app in named["us-1"].apps.values()} == {"STOPPED"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*BOTH, "--target-waves"), "needs --canary or --ramp"),
        ((*BOTH, "--canary", "1", "--approve"), "give --target-waves"),
        (("--target", "eu-1", "--canary", "1", "--target-waves"), "goes with several targets"),
    ],
)
def test_waves_that_do_not_fit_are_refused(
    named: dict[str, Sandbox], words: tuple[str, ...], said: str
) -> None:
    done = run("start", "--all", *words)
    assert done.exit_code == 2
    assert said in done.stderr
