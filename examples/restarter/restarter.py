"""Restarts the apps of a space, and says which did not come along."""

from aioappsapi import Client


class UnknownSpaceError(LookupError):
    """There is no such space, or it is not visible."""


async def restart_space(client: Client, name: str) -> list[str]:
    """Restart every app of the spaces of that name; give the names of those that failed."""
    spaces = await client.spaces.list(names=[name]).all()
    if not spaces:
        raise UnknownSpaceError(name)
    apps = client.apps.list(space_guids=[space.guid for space in spaces])
    report = await client.bulk.restart(apps, concurrency=1)
    return [outcome.name or outcome.key for outcome in report.remaining]
