"""Options that come in groups."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from aioappsapi.cli.groups import Group, spread


class Size(Group, frozen=True, kw_only=True):
    width: Annotated[int, typer.Option(min=1, rich_help_panel="How large")] = 3
    names: Annotated[list[str], typer.Option("--name", rich_help_panel="How large")] = []  # noqa: RUF012


class Colour(Group, frozen=True, kw_only=True):
    colour: Annotated[str | None, typer.Option(help="Any.")] = None


class Again(Group, frozen=True, kw_only=True):
    width: int = 1


def command() -> tuple[typer.Typer, list[tuple[object, ...]]]:
    app, called = typer.Typer(), []

    @app.command()
    @spread
    def paint(size: Size, colour: Colour, what: Annotated[str, typer.Argument()]) -> None:
        called.append((what, size, colour))

    return app, called


def test_a_command_gets_its_groups_filled() -> None:
    app, called = command()
    words = ["wall", "--width", "5", "--name", "a", "--name", "b", "--colour", "red"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert called == [("wall", Size(width=5, names=["a", "b"]), Colour(colour="red"))]


def test_what_is_not_given_is_as_the_group_has_it() -> None:
    app, called = command()
    assert CliRunner().invoke(app, ["wall"]).exit_code == 0
    assert called == [("wall", Size(), Colour())]


def test_typer_checks_types_and_shows_panels() -> None:
    app, called = command()
    assert CliRunner().invoke(app, ["wall", "--width", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["wall", "--width", "x"]).exit_code == 2
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert "How large" in shown
    assert "--colour" in shown
    assert not called


def test_groups_with_the_same_option_do_not_go_together() -> None:
    def paint(size: Size, again: Again) -> None: ...

    with pytest.raises(ValueError, match="width"):
        spread(paint)
