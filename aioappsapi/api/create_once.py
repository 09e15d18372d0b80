"""Create an app exactly once, even if an answer is lost.

Names are unique in a space, so a second request cannot create a second app. But it would fail
because the first request has taken the name. So after an ambiguous failure the app is looked up
before the request is sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from aioappsapi._headers import date_of
from aioappsapi._http.call_log import CallLog, Exchanges, recorded
from aioappsapi._http.clock import loop_time
from aioappsapi.errors import AppsApiError, DeadlineError, DecodeError, UnprocessableError
from aioappsapi.models.app import App

# The server rounds times down to whole seconds.
_ROUNDING: Final = timedelta(seconds=2)


async def create_once(
    send: Callable[[], Awaitable[App]], find: Callable[[], Awaitable[App | None]], tries: int
) -> App:
    """Send a creation; after an ambiguous failure look the app up before sending again.

    `find` looks up an app by its name and space. At most `tries` requests are sent. Raises the
    error of the last one.
    """
    began = loop_time()
    doubtful = False
    while True:
        tries -= 1
        with recorded(CallLog) as record:
            try:
                return await send()
            except DeadlineError:
                raise
            except AppsApiError as error:
                failure = error
        doubtful = doubtful or record.ambiguous
        taken = _is_taken(failure)
        # A success that cannot be read took effect, so it is never sent again.
        if isinstance(failure, DecodeError):
            raise failure
        if not record.ambiguous and not (doubtful and taken):
            raise failure
        if (app := await _find_ours(find, began, failure)) is not None:
            return app
        if taken or tries <= 0:
            raise failure


def _is_taken(failure: AppsApiError) -> bool:
    return isinstance(failure, UnprocessableError) and failure.title == "CF-UniquenessError"


async def _find_ours(
    find: Callable[[], Awaitable[App | None]], began: float, failure: AppsApiError
) -> App | None:
    """Look the app up. An app that is older than the first attempt belongs to another caller."""
    with recorded(Exchanges) as exchanges:
        try:
            app = await find()
        except AppsApiError as cause:
            raise failure from cause
    if app is None or app.created_at is None:
        return app
    # By the server's clock if the answer has it: ours may be wrong.
    elapsed = timedelta(seconds=loop_time() - began)
    age = _time_of(exchanges) - app.created_at
    return app if age <= elapsed + _ROUNDING else None


def _time_of(exchanges: Exchanges) -> datetime:
    try:
        seconds = date_of(exchanges.last.headers)
    except LookupError:
        seconds = None
    return datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
