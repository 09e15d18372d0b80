"""`aioappsapi apps …`: single operations, each one call of the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from aioappsapi import App, AppsApiError, InvalidInputError, NotFoundError
from aioappsapi.bulk.selection.names import not_found
from aioappsapi.cli.action_flags import CallFlags
from aioappsapi.cli.answers import plain, print_card, print_json, print_rows
from aioappsapi.cli.busy import busy
from aioappsapi.cli.console import SCHEMA, fail, print_lines, take_log
from aioappsapi.cli.exits import Exit, strongest
from aioappsapi.cli.flags import LogFlags, Selection, TargetFlags, Wait
from aioappsapi.cli.questions import confirm
from aioappsapi.cli.selection import one_app, selected
from aioappsapi.cli.session import Session, execute
from aioappsapi.cli.target import opened
from aioappsapi.models import AppFeature, Environment

_ROW: Final = ("guid", "state", "name", "space", "organization")
_NOT_ON_CARDS: Final = {"links", "metadata", "relationships"}
# The method that `look` calls, by the name of the command.
_LOOKS: Final = {
    "env": "get_env",
    "permissions": "get_permissions",
    "ssh": "get_ssh_enabled",
    "droplet": "get_current_droplet",
}


@dataclass(frozen=True)
class AppCommand:
    """A command for one app, or a list of apps, as it was typed."""

    call: CallFlags
    log: LogFlags
    target: TargetFlags

    def list(self, selection: Selection) -> Exit:
        """Print the apps that are selected, with their spaces and organizations."""

        async def work(session: Session) -> None:
            every = await selected(session.client, selection)
            if self.call.output == "jsonl":
                for app in every:
                    print_json(app)
            elif self.call.output == "json":
                head = {"schema": SCHEMA, "target": session.client.api_url, "total": len(every)}
                print_json(head | {"apps": [plain(app) for app in every]})
            else:
                print_rows(_ROW, ([*_row(app).values()] for app in every))

        return self._execute(work)

    def get(self, app: str, include: Sequence[str]) -> Exit:
        """Print an app."""

        async def work(session: Session) -> None:
            guid = await one_app(session.client, app)
            found = await session.client.apps.get(guid, include=include or None)
            self._print(found, _card(found))

        return self._execute(work, app)

    def look(self, name: str, app: str) -> Exit:
        """Print the result of a method that takes only the app."""

        async def work(session: Session) -> None:
            guid = await one_app(session.client, app)
            apps = session.client.apps
            if name == "features":
                self._print_features(await apps.list_features(guid).all())
                return
            found = await getattr(apps, _LOOKS[name])(guid)
            if name == "env" and self.call.output == "text":
                _print_env(found)
            else:
                self._print(found)

        return self._execute(work, app)

    def act(self, action: str, app: str, wait: Wait) -> Exit:
        """Start, stop or restart an app and print it."""

        async def work(session: Session) -> None:
            guid = await one_app(session.client, app)
            with busy(f"waiting for {app}", shown=wait != "none"):
                done = await getattr(session.client.apps, action)(guid, wait=wait)
            self._print(done, {"guid": done.guid, "name": done.name, "state": done.state})

        return self._execute(work, app)

    def delete(self, app: str, *, yes: bool) -> Exit:
        """Delete an app, wait until it is gone, and print the job."""

        async def work(session: Session) -> None:
            guid = await one_app(session.client, app)
            if not yes and self.target.sandbox is None:
                confirm(session, f"delete {app} ({guid}) at {session.client.api_url}")
            job = await session.client.apps.delete(guid)
            with busy(f"deleting {app}"):
                job = await session.client.jobs.wait(job)
            self._print(job)

        return self._execute(work, app)

    def _execute(self, work: Callable[[Session], Awaitable[None]], app: str = "") -> Exit:
        """Run one operation within the deadline. A refusal of the server is status 1, not 3.

        `app` is the word that stands for the app, if the command is for one.
        """

        async def done(session: Session) -> Exit:
            status = Exit.OK
            try:
                async with session.clock.bounding("the call; it may have been carried out"):
                    await work(session)
            except InvalidInputError:
                raise
            except AppsApiError as error:
                message = not_found(app) if _is_unknown_app(error) else ""
                status = fail(error, Exit.NOT_ALL, self.call.output, message=message)
            number = session.interruption.signal
            return status if number is None else strongest(status, Exit.of_signal(number))

        take_log(self.log)
        return execute(
            opened,
            lambda: done,
            self.target,
            output=self.call.output,
            deadline=self.call.deadline,
            interrupted="a request that was sent may have been carried out.",
        )

    def _print(self, value: msgspec.Struct, fields: Mapping[str, object] | None = None) -> None:
        """Print an answer; as text, only the most useful fields."""
        if self.call.output != "text":
            print_json(value)
            return
        every = msgspec.structs.asdict(value) if fields is None else fields
        known = {name: part for name, part in every.items() if part not in (None, "", [], {})}
        print_card({name: part for name, part in known.items() if name not in _NOT_ON_CARDS})

    def _print_features(self, found: Sequence[AppFeature]) -> None:
        if self.call.output == "text":
            rows = [(f.name, "on" if f.enabled else "off", f.description or "") for f in found]
            print_rows(("feature", "is", "what it does"), rows)
        else:
            print_json({"schema": SCHEMA, "features": [plain(one) for one in found]})


def _is_unknown_app(error: AppsApiError) -> bool:
    return isinstance(error, NotFoundError) and error.detail == "App not found"


def _row(app: App) -> dict[str, str]:
    return {"guid": app.guid, "state": app.state, "name": app.name, **_place(app)}


def _place(app: App) -> dict[str, str]:
    """Name the space and the organization that were included."""
    included = {"space": app.included_space, "organization": app.included_organization}
    return {kind: one.name for kind, one in included.items() if one}


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


def _print_env(found: Environment) -> None:
    for part in found.__struct_fields__:
        if values := getattr(found, part):
            print_lines([f"# {part}"])
            print_card(values)
