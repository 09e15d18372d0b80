"""Single operations from the command line."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from aioappsapi.cli.answers import print_card, print_rows
from tests.command_line import Result, run

UNKNOWN = "00000000-0000-4000-8000-000000000000"
pytestmark = pytest.mark.usefixtures("target")


def apps(*words: str) -> Result:
    return run("apps", *words)


def answer(*words: str) -> dict[str, object]:
    result = apps(*words, "--output", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_list_is_json_or_lines_or_columns(target: str) -> None:
    document = answer("list", "--name", "app-0000*")
    assert document["schema"] == 1
    assert document["target"] == target
    assert document["total"] == 9 == len(document["apps"])
    lines = apps("list", "--name", "app-0000*", "--output", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == document["apps"]
    rows = [line.split("\t") for line in apps("list", "--name", "app-0000*").stdout.splitlines()]
    assert [row[:3] for row in rows] == [
        [one["guid"], one["state"], one["name"]] for one in document["apps"]
    ]


def test_a_list_includes_spaces_and_organizations() -> None:
    words = ("list", "--org", "acme", "--space", "prod")
    document = answer(*words)
    assert document["total"] > 0
    for one in document["apps"]:
        assert (one["space"]["name"], one["organization"]["name"]) == ("prod", "acme")
    row = apps(*words).stdout.splitlines()[0]
    assert row.split("\t")[3:] == ["prod", "acme"]


def test_a_list_without_a_match_is_empty() -> None:
    assert answer("list", "--name", "nothing*")["apps"] == []
    assert apps("list", "--name", "nothing*").stdout == ""


def test_an_app_is_shown_by_name_and_by_guid() -> None:
    by_name = answer("get", "app-00002", "--include", "space.organization")
    assert by_name["name"] == "app-00002"
    assert by_name["space"]["guid"] == by_name["relationships"]["space"]["data"]["guid"]
    del by_name["space"], by_name["organization"]
    assert answer("get", by_name["guid"]) == by_name
    card = apps("get", "app-00002", "--include", "space.organization").stdout
    fields = dict(line.split(maxsplit=1) for line in card.splitlines())
    assert fields["guid"] == by_name["guid"]
    assert {"name", "state", "stack", "organization"} <= fields.keys()


def test_an_app_is_started_with_wait_and_stopped() -> None:
    assert answer("start", "app-00003", "--wait", "all", "--deadline", "60")["state"] == "STARTED"
    assert answer("restart", "app-00003", "--wait", "any")["state"] == "STARTED"
    stopped = apps("stop", "app-00003")
    assert stopped.exit_code == 0
    assert stopped.stdout.split() == [
        *("guid", answer("get", "app-00003")["guid"]),
        *("name", "app-00003"),
        *("state", "STOPPED"),
    ]


def test_parts_of_an_app_are_shown() -> None:
    assert answer("permissions", "app-00001") == {
        "read_basic_data": True,
        "read_sensitive_data": True,
    }
    assert answer("ssh", "app-00001")["enabled"] is True
    assert answer("droplet", "app-00001")["state"] == "STAGED"
    names = {one["name"] for one in answer("features", "app-00001")["features"]}
    assert {"ssh", "revisions"} <= names
    assert "ssh\ton\t" in apps("features", "app-00001").stdout
    assert apps("permissions", "app-00001").stdout.split() == [
        *("read_basic_data", "yes"),
        *("read_sensitive_data", "yes"),
    ]


def test_the_environment_is_shown_only_by_its_own_command() -> None:
    found = answer("env", "app-00001")
    assert found["application_env_json"]["VCAP_APPLICATION"]["name"] == "app-00001"
    text = apps("env", "app-00001").stdout
    assert "# application_env_json\nVCAP_APPLICATION  {" in text
    assert "environment_variables" not in apps("get", "app-00001").stdout


def test_an_app_is_deleted_only_after_a_confirmation() -> None:
    refused = apps("delete", "app-00012")
    assert refused.exit_code == 2
    assert "delete app-00012" in refused.stderr
    assert "--yes" in refused.stderr
    assert answer("delete", "app-00012", "--yes")["state"] == "COMPLETE"
    gone = apps("get", "app-00012")
    assert gone.exit_code == 2
    assert "No app that this login can see is called 'app-00012'. Did you mean" in gone.stderr
    assert "--skip-unknown" not in gone.stderr


@pytest.mark.parametrize("command", ["get", "env", "start", "droplet", "features"])
def test_a_refusal_of_the_server_is_one_line_and_status_1(command: str) -> None:
    result = apps(command, UNKNOWN)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"No app that this login can see is called {UNKNOWN!r}." in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_refused_login_is_status_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CF_PASSWORD", "wrong")
    assert apps("list").exit_code == 3


def test_bad_values_and_missing_arguments_are_wrong_usage() -> None:
    assert apps("get", "app-00001", "--include", "planets").exit_code == 2
    assert apps("get").exit_code == 2
    assert apps("start", "app-00001", "--wait", "some").exit_code == 2


def test_a_negative_deadline_is_wrong_usage() -> None:
    result = apps("start", "app-00001", "--deadline", "-1")
    assert result.exit_code == 2
    assert "--deadline: '-1' is not a duration" in result.stderr


def test_the_sandbox_is_a_target_too() -> None:
    result = run("apps", "delete", "app-00001", "--sandbox", "2")
    assert result.exit_code == 0
    assert "COMPLETE" in result.stdout


def test_a_table_on_a_terminal_keeps_guids_whole_and_escapes_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=60, color_system=None)
    monkeypatch.setattr("aioappsapi.cli.answers.out", console)
    monkeypatch.setattr("aioappsapi.cli.console.out", console)
    print_rows(("guid", "name"), [(UNKNOWN, "[bold]x\x1b[2J" + "y" * 40)])
    text = console.file.getvalue()
    assert UNKNOWN in text
    assert "[bold]x\\x1b" in text
    assert max(map(len, text.splitlines())) <= 60


def test_a_card_has_one_line_per_field_whatever_the_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_card({"A": "two\nlines", "LONG": "", "N": 1, "J": {"a": None}})
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["A     two\\nlines", "LONG", "N     1", 'J     {"a":null}']
