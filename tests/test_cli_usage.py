"""Typed arguments: help, values, and errors with the names of options."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from cyclopts import App
from hypothesis import given
from hypothesis import strategies as st

from aioappsapi import RunOptions
from aioappsapi.cli.commands import app
from aioappsapi.cli.commands.sandbox import SandboxFlags
from aioappsapi.cli.flags import Wait
from aioappsapi.cli.values import parse_choice, parse_count_or_share, parse_duration
from aioappsapi.cli.wording import in_words
from tests.command_line import run


def commands(parent: App = app, *before: str) -> Iterator[tuple[str, ...]]:
    """Every command that does something itself."""
    for name in parent:
        one = parent[name]
        if name in {"--help", "-h", "--version"}:
            continue
        words = (*before, name)
        if one.default_command is None:
            yield from commands(one, *words)
        else:
            yield words


COMMANDS = [*commands()]


# -- help


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_two_examples_and_says_where_the_login_comes_from(words: tuple[str, ...]) -> None:
    result = run(*words, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    typed = " ".join(("aioappsapi", *words))
    examples = [line for line in result.stdout.splitlines() if line.startswith(f"  {typed}")]
    assert len(examples) == 2
    assert "CF_API" in result.stdout or "no login" in result.stdout
    assert "Exit status" in result.stdout or "snapshot" in words


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_is_documented_and_in_a_group(words: tuple[str, ...]) -> None:
    _, [*_, command], _ = app.parse_commands(list(words))
    for argument in command.assemble_argument_collection():
        if argument.show:
            assert argument.parameter.help, argument.name
            assert argument.parameter.group or words == ("--install-completion",), argument.name


@pytest.mark.parametrize("words", [("start", "--help"), ("sandbox", "--help")], ids=" ".join)
@pytest.mark.parametrize("columns", ["80", "120", "200"])
def test_help_fits_the_terminal(words: tuple[str, ...], columns: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aioappsapi", *words],
        env={"COLUMNS": columns, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert max(map(len, done.stdout.splitlines())) <= int(columns)


def test_the_choices_of_wait_are_those_of_the_library() -> None:
    assert get_args(Wait) == get_args(get_type_hints(RunOptions)["wait"])


def test_the_sandbox_has_the_options_of_its_own_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aioappsapi.sandbox", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = {
        word.strip("[],") for word in done.stdout.split() if word.strip("[]").startswith("--")
    }
    ours = {f"--{name.replace('_', '-')}" for name in SandboxFlags.__dataclass_fields__}
    assert ours == theirs - {"--help"}


def test_the_sandbox_takes_durations_and_shares_as_the_others_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed: list[list[str]] = []
    monkeypatch.setattr(
        "aioappsapi.sandbox.__main__.main", lambda words, **_: passed.append(words) or 0
    )
    run("sandbox", "--latency", "50ms", "--startup", "1m30s", "--crash", "2%", "--crash-once", "0")
    [words] = passed
    assert words == [
        "--latency",
        "0.05",
        "--startup",
        "90.0",
        "--crash",
        "0.02",
        "--crash-once",
        "0.0",
    ]


def test_flags_of_the_sandbox_are_passed_on_as_words() -> None:
    flags = SandboxFlags(port=0, tls=True, crash=0.5, fault=("a=1", "b=2"))
    words = ["--port", "0", "--tls", "--crash", "0.5", "--fault", "a=1", "--fault", "b=2"]
    assert [*flags.words()] == words


def test_completion_is_a_static_script_with_all_commands_and_options(tmp_path: Path) -> None:
    script = tmp_path / "aioappsapi.bash"
    result = run("--install-completion", "--shell", "bash", "--file", str(script))
    assert (result.exit_code, result.stdout) == (0, "")
    assert str(script) in result.stderr
    text = script.read_text()
    for word in ("restart", "snapshot", "--max-starting-mb", "--crash-once", "routable"):
        assert word in text
    subprocess.run(["bash", "-n", str(script)], check=True)


# -- errors


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("strat web", "There is no command strat. Did you mean start? See `aioappsapi --help`."),
        ("apps gte web", "no command gte. Did you mean get? See `aioappsapi apps --help`."),
        ("--verison", "There is no option --verison. Did you mean --version?"),
        ("start --all --concurency 3", "no option --concurency. Did you mean --concurrency? See"),
        ("start --all --no-yes", "There is no option --no-yes."),
        ("start --all --deadline", "--deadline needs a value."),
        ("start --all --org --space x", "--org needs a value."),
        ("start --all --deadline soon", "--deadline: 'soon' is not a duration."),
        ("start --all --deadline 0", "--deadline: '0' is too short."),
        ("start --all --concurrency x", "--concurrency: 'x' is not a whole number."),
        (
            "start --all --concurrency 10001",
            "--concurrency: 10001 is out of range. Give 1 to 10000",
        ),
        ("start --all --wait al", "'al' is not one of none, any, all, routable. Did you mean all?"),
        ("start --all --max-failures 100%", "--max-failures: '100%' is neither a count nor"),
        ("start --all --yes=maybe", "--yes takes no value, but got 'maybe'."),
        ("start --all --seed 1 --seed 2", "--seed was given more than once."),
        ("apps get", "APP is missing."),
        ("apps get a b", "more arguments than this command takes: 'b'."),
        ("report compare a.json", "AFTER is missing."),
        ("sandbox --latency fast", "--latency: 'fast' is not a duration."),
        ("sandbox --profile wild", "--profile: 'wild' is not one of none, demo, chaos."),
    ],
)
def test_wrong_usage_is_one_line_with_the_option_as_typed(typed: str, said: str) -> None:
    result = run(*typed.split())
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("aioappsapi: ")
    assert said in line
    assert "help`." in line


def test_an_argument_after_two_dashes_is_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("start", "--sandbox", "1", "--", "-x")
    assert result.exit_code == 2
    assert "is called '-x'" in result.stderr


# -- values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("0.5", 0.5), ("1.5h", 5400)),
        *(("2d", 172_800), ("1H30M5S", 5405), (" 7 ", 7)),
        *(("50ms", 0.05), ("1s500ms", 1.5)),
    ],
)
def test_durations_are_parsed(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5x", "-3", "1m1h", "inf", "nan", "1e3", "5 m", "1:30"])
def test_invalid_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_only_some_durations_may_be_zero() -> None:
    assert parse_duration("0", zero=True) == 0
    with pytest.raises(ValueError, match="is too short"):
        parse_duration("0s")


@given(st.integers(1, 400_000))
def test_a_duration_in_words_can_be_typed(seconds: int) -> None:
    assert parse_duration(in_words(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "limit"), [("5", 5), ("1", 1), ("20%", 0.2), ("0.2", 0.2), ("12.5 %", 0.125)]
)
def test_counts_and_percentages_are_parsed(text: str, limit: float) -> None:
    assert parse_count_or_share(text) == limit
    assert type(parse_count_or_share(text)) is type(limit)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "0%", "100%", "nan", "few", "", "inf"])
def test_invalid_counts_and_percentages_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a count nor a share"):
        parse_count_or_share(text)


def test_choices_ignore_upper_and_lower_case() -> None:
    assert parse_choice("started", ("STARTED", "STOPPED")) == "STARTED"
