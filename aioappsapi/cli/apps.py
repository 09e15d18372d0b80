"""`aioappsapi apps …`: single operations, each one call of the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Final, NoReturn

import msgspec
import typer

from aioappsapi.bulk.actions.start_stop_restart import ActionName
from aioappsapi.cli.answers import plain, print_card, print_json, print_rows
from aioappsapi.cli.console import Exit, Output, confirm, out, say
from aioappsapi.cli.groups import Group, spread
from aioappsapi.cli.options import Printed, Selectors, Target, WaitFor, Yes
from aioappsapi.cli.selection import listed, one_app
from aioappsapi.cli.session import carried_out
from aioappsapi.cli.summary import print_line
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError, InvalidInputError
from aioappsapi.models.app import App
from aioappsapi.models.base import Struct
from aioappsapi.models.environment import Environment

apps = typer.Typer(no_args_is_help=True, help="Single operations, on one app or to list them.")

Called = Annotated[str, typer.Argument(metavar="GUID|NAME", help="The app.")]
Include = Annotated[
    list[str],
    typer.Option(metavar="WHAT", help="Bring along: space, or space.organization."),
]

_SCHEMA: Final = 1
_PLUMBING: Final = {"links", "metadata", "relationships"}


def _time(seconds: float | None) -> float | None:
    if seconds is None or seconds > 0:
        return seconds
    raise typer.BadParameter(f"{seconds:g} is no time to get anything done in: seconds > 0.")


class Asked(Group, frozen=True, kw_only=True):
    """What all commands for one app take."""

    output: Printed = "text"
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For everything.", callback=_time)
    ] = None


def _carry_out(target: Target, work: Callable[[Client], Awaitable[None]]) -> NoReturn:
    """Do one thing. What the server refuses is no wrong usage, and it could begin."""

    async def done(client: Client) -> Exit:
        try:
            await work(client)
        except InvalidInputError:
            raise
        except AppsApiError as error:
            say(str(error))
            return Exit.NOT_ALL
        return Exit.AS_ASKED

    raise typer.Exit(carried_out(target, lambda: done))


def _told(value: Struct, output: Output, fields: Mapping[str, object] | None = None) -> None:
    """Print an answer; as text, only what people look for."""
    if output != "text":
        print_json(out, value)
        return
    every = msgspec.structs.asdict(value) if fields is None else fields
    known = {name: part for name, part in every.items() if part not in (None, "", [], {})}
    print_card(out, {name: part for name, part in known.items() if name not in _PLUMBING})


# -- lists


@apps.command("list", help="List the apps that this login may see, or those that are selected.")
@spread
def list_apps(
    selectors: Selectors, target: Target, include: Include = [], output: Printed = "text"
) -> None:
    async def work(client: Client) -> None:
        found = listed(client, selectors, include=include or None)
        if output == "jsonl":
            async for app in found:
                print_json(out, app)
            return
        every = [app async for app in found]
        if output == "json":
            head = {"schema": _SCHEMA, "target": client.api_url, "total": len(every)}
            print_json(out, head | {"apps": [plain(app) for app in every]})
        else:
            columns = [name for name in _ROW if not every or name in _row(every[0])]
            print_rows(out, columns, ([*_row(app).values()] for app in every))

    _carry_out(target, work)


_ROW: Final = ("guid", "state", "name", "space", "organization")


def _row(app: App) -> dict[str, str]:
    return {"guid": app.guid, "state": app.state, "name": app.name, **_place(app)}


def _place(app: App) -> dict[str, str]:
    """Name what was included."""
    joined = {"space": app.included_space, "organization": app.included_organization}
    return {kind: one.name for kind, one in joined.items() if one}


# -- one app


@apps.command(help="Show an app.")
@spread
def get(target: Target, asked: Asked, app: Called, include: Include = []) -> None:
    async def work(client: Client) -> None:
        guid = await one_app(client, app)
        found = await client.apps.get(guid, include=include or None, deadline=asked.deadline)
        _told(found, asked.output, _card(found))

    _carry_out(target, work)


def _card(app: App) -> dict[str, object]:
    return {
        "guid": app.guid,
        "name": app.name,
        "state": app.state,
        "lifecycle": app.lifecycle.type,
        "stack": app.lifecycle.data.stack,
        "buildpacks": app.lifecycle.data.buildpacks,
        "space guid": app.relationships.space.guid,
        **_place(app),
        "labels": app.metadata.labels,
        "annotations": app.metadata.annotations,
        "created at": app.created_at,
        "updated at": app.updated_at,
    }


@apps.command(help="Show all that an app finds in its environment. Mind that it holds secrets.")
@spread
def env(target: Target, asked: Asked, app: Called) -> None:
    async def work(client: Client) -> None:
        guid = await one_app(client, app)
        found = await client.apps.get_env(guid, deadline=asked.deadline)
        if asked.output == "text":
            _print_env(found)
        else:
            print_json(out, found)

    _carry_out(target, work)


def _print_env(found: Environment) -> None:
    for part in found.__struct_fields__:
        if values := getattr(found, part):
            print_line(out, f"# {part}")
            print_card(out, values)


@apps.command(help="Show the features of an app, and whether they are on.")
@spread
def features(target: Target, asked: Asked, app: Called) -> None:
    async def work(client: Client) -> None:
        guid = await one_app(client, app)
        found = await client.apps.list_features(guid).all(deadline=asked.deadline)
        if asked.output == "text":
            rows = [(f.name, "on" if f.enabled else "off", f.description or "") for f in found]
            print_rows(out, ("feature", "is", "what it does"), rows)
        else:
            print_json(out, {"schema": _SCHEMA, "features": [plain(one) for one in found]})

    _carry_out(target, work)


def _register_look(name: str, method: str, text: str) -> None:
    """Make a command that shows what a method without other arguments returns."""

    @apps.command(name=name, help=text)
    @spread
    def look(target: Target, asked: Asked, app: Called) -> None:
        async def work(client: Client) -> None:
            guid = await one_app(client, app)
            found = await getattr(client.apps, method)(guid, deadline=asked.deadline)
            _told(found, asked.output)

        _carry_out(target, work)


_register_look("permissions", "get_permissions", "Show what this login may read of an app.")
_register_look("ssh", "get_ssh_enabled", "Show whether ssh into an app works.")
_register_look("droplet", "get_current_droplet", "Show the droplet that an app runs.")


# -- changes


def _register_action(action: ActionName, text: str) -> None:
    @apps.command(name=action, help=text)
    @spread
    def act(target: Target, asked: Asked, app: Called, wait: WaitFor = "none") -> None:
        async def work(client: Client) -> None:
            guid = await one_app(client, app)
            done = await getattr(client.apps, action)(guid, wait=wait, deadline=asked.deadline)
            _told(done, asked.output, {"guid": done.guid, "name": done.name, "state": done.state})

        _carry_out(target, work)


_register_action("start", "Start an app.")
_register_action("stop", "Stop an app.")
_register_action("restart", "Restart an app, at most once.")


@apps.command(help="Delete an app with all that belongs to it, and wait until it is gone.")
@spread
def delete(target: Target, asked: Asked, app: Called, yes: Yes = False) -> None:
    async def work(client: Client) -> None:
        guid = await one_app(client, app)
        if not yes and target.sandbox is None:
            confirm(f"delete {app} ({guid}) at {client.api_url}")
        job = await client.apps.delete(guid, deadline=asked.deadline)
        _told(await client.jobs.wait(job, deadline=asked.deadline), asked.output)

    _carry_out(target, work)
