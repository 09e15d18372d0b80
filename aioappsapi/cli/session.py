"""One command against a target: what it raises becomes a line and an exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aioappsapi.bulk.run.conclude import RunAbortedError
from aioappsapi.cli.console import Exit, say
from aioappsapi.cli.options import Target
from aioappsapi.cli.target import opened
from aioappsapi.cli.wording import as_typed
from aioappsapi.client import Client
from aioappsapi.errors import AppsApiError, InvalidInputError

Work = Callable[[Client], Awaitable[Exit]]


def carried_out(
    target: Target,
    prepare: Callable[[], Work],
    *,
    concurrency: int = 1,
    interrupted: str = "interrupted.",
) -> Exit:
    """Log in and do the work; `prepare` checks, before anything else, what can be checked."""
    try:
        work = prepare()
        with opened(target, concurrency=concurrency) as client:
            return asyncio.run(_logged_in(client, work))
    except InvalidInputError as wrong:
        say(as_typed(str(wrong)))
        return Exit.USAGE
    except RunAbortedError as aborted:
        say(f"{aborted} Cause: {aborted.__cause__}")
        return Exit.NOT_ALL
    except AppsApiError as error:
        say(str(error))
        return Exit.COULD_NOT_BEGIN
    except KeyboardInterrupt:
        say(interrupted)  # before a run, or after it: what was sent then is in its report
        return Exit.INTERRUPTED


async def _logged_in(client: Client, work: Work) -> Exit:
    async with client:
        await client.log_in()
        return await work(client)
