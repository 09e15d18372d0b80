"""An app is created once, even if answers are lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from aioappsapi import (
    AppsApiError,
    Client,
    ClientCredentials,
    DeadlineError,
    DisconnectedError,
    ForbiddenError,
    ReadTimeout,
    RetryPolicy,
    ServerError,
    UnprocessableError,
)
from aioappsapi._http.call_log import CallLog, recorded
from aioappsapi._http.message import Response
from aioappsapi._http.transport import Transport
from aioappsapi.api.apps import Apps
from aioappsapi.config import Timeouts
from aioappsapi.models import App
from aioappsapi.sandbox import Sandbox
from tests.replay import AT_ONCE, ONE_TRY, Answer, Seen, Wire, app_json, refusal, reply

LOST = DisconnectedError("-")
DONE = reply(app_json("app-1"), 201)
TAKEN = refusal(422, "CF-UniquenessError", 10016)


class Space:
    """A space that answers creations one after the other, and lists one app or none."""

    def __init__(self, *answers: Answer | Exception, retry: RetryPolicy = AT_ONCE) -> None:
        self.answers = list(answers)
        self.found: list[dict[str, object]] = []
        self.date = datetime.now(UTC).replace(microsecond=0)
        self.list_fails: Answer | None = None
        self.wire = Wire(self.answer)
        self.apps = Apps(self.wire.caller(retry=retry))

    async def answer(self, seen: Seen) -> Answer:
        if seen.method == "GET":
            assert "names=web" in seen.target
            assert "space_guids=space-1" in seen.target
            date = (("Date", format_datetime(self.date, usegmt=True)),)
            body = reply({"pagination": {}, "resources": self.found}).body
            return self.list_fails or Answer(200, body, date)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def holds(self, *, age: float = 0.0) -> Space:
        made = (self.date - timedelta(seconds=age)).isoformat().replace("+00:00", "Z")
        self.found = [app_json("app-1", created_at=made)]
        return self

    async def create(self) -> App:
        return await self.apps.create("web", "space-1")

    @property
    def sent(self) -> str:
        return " ".join(seen.method for seen in self.wire.seen)


@pytest.mark.parametrize(
    "lost",
    [
        LOST,
        ReadTimeout("-"),
        Answer(502, b"<html>"),
        Answer(504, b"late"),
        refusal(500, "UnknownError"),
    ],
    ids=lambda lost: str(getattr(lost, "status", type(lost).__name__)),
)
async def test_an_app_whose_answer_was_lost_is_found_by_its_name(lost: Answer | Exception) -> None:
    space = Space(lost).holds()
    assert (await space.create()).guid == "app-1"
    assert space.sent == "POST GET"


async def test_an_app_that_was_not_created_is_requested_again() -> None:
    space = Space(LOST, DONE)
    with recorded(CallLog) as record:
        assert (await space.create()).guid == "app-1"
    assert space.sent == "POST GET POST"
    assert record.results == ["DisconnectedError", "200", "201"]


async def test_a_name_taken_since_the_first_attempt_belongs_to_the_new_app() -> None:
    space = Space(LOST, TAKEN)
    looks: list[Callable[[], object]] = [lambda: None, space.holds]
    answer = space.answer

    async def made_meanwhile(seen: Seen) -> Answer:
        if seen.method == "GET":
            looks.pop(0)()
        return await answer(seen)

    space.wire._answering = made_meanwhile
    assert (await space.create()).guid == "app-1"
    assert space.sent == "POST GET POST GET"


async def test_a_name_that_was_taken_before_is_an_error() -> None:
    space = Space(TAKEN).holds()
    with pytest.raises(UnprocessableError):
        await space.create()
    assert space.sent == "POST"


async def test_an_older_app_with_that_name_is_not_taken_for_the_new_app() -> None:
    space = Space(LOST, TAKEN).holds(age=10)
    with pytest.raises(UnprocessableError):
        await space.create()
    assert space.sent == "POST GET POST GET"


@pytest.mark.parametrize("hours", [-5, 5])
async def test_the_age_of_an_app_comes_from_the_servers_clock(hours: int) -> None:
    space = Space(LOST)
    space.date += timedelta(hours=hours)
    assert (await space.holds(age=1).create()).guid == "app-1"


async def test_without_a_date_header_our_own_clock_counts() -> None:
    space = Space(LOST).holds()
    space.list_fails = reply({"pagination": {}, "resources": space.found})
    assert (await space.create()).guid == "app-1"


async def test_the_attempts_are_bounded() -> None:
    space = Space(*[Answer(502, b"")] * 9, retry=RetryPolicy(base=0, attempts=3))
    with pytest.raises(ServerError):
        await space.create()
    assert space.sent == "POST GET POST GET POST GET"


async def test_without_retries_the_app_is_still_looked_up() -> None:
    space = Space(LOST, retry=ONE_TRY).holds()
    assert (await space.create()).guid == "app-1"

    space = Space(LOST, DONE, retry=ONE_TRY)
    with pytest.raises(DisconnectedError):
        await space.create()
    assert space.sent == "POST GET"


async def test_a_look_up_that_fails_leaves_the_first_error() -> None:
    space = Space(LOST)
    space.list_fails = refusal(403, "CF-NotAuthorized")
    with pytest.raises(DisconnectedError) as caught:
        await space.create()
    assert isinstance(caught.value.__cause__, ForbiddenError)
    assert space.sent == "POST GET"


@pytest.mark.parametrize("answer", [refusal(403, "CF-NotAuthorized"), Answer(201, b"garbage")])
async def test_a_sure_refusal_is_raised_without_a_look_up(answer: Answer) -> None:
    space = Space(answer)
    with pytest.raises(AppsApiError):
        await space.create()
    assert space.sent == "POST"


async def test_a_name_that_cannot_be_looked_up_is_not_requested_again() -> None:
    space = Space(LOST)
    with pytest.raises(DisconnectedError):
        await space.apps.create("web,api", "space-1")
    assert space.sent == "POST"


async def test_the_deadline_covers_all_attempts() -> None:
    space = Space(LOST)
    space.list_fails = Answer(
        503, b"", (("Retry-After", "60"), ("X-Cf-RouterError", "no_endpoints"))
    )
    with pytest.raises(DisconnectedError) as caught:
        await space.apps.create("web", "space-1", deadline=5)
    assert isinstance(caught.value.__cause__, DeadlineError)


class Losing:
    """A transport that loses the answers of creations, as a reset after the work does."""

    def __init__(self, inner: Transport, losses: int) -> None:
        self.inner = inner
        self.losses = losses

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts | None = None,
    ) -> Response:
        response = await self.inner.send(method, url, headers, body, timeouts)
        if self.losses and method == "POST" and url.endswith("/v3/apps"):
            self.losses -= 1
            raise DisconnectedError("-")
        return response


async def test_a_sandbox_that_resets_after_the_work_creates_one_app() -> None:
    async with Sandbox(1) as cloud:
        auth = ClientCredentials("admin-client", "admin-secret")
        async with Client(cloud.url, auth=auth, proxy="") as client:
            client._caller._transport = Losing(client._pool, losses=1)
            space = next(iter(cloud.spaces))
            app = await client.apps.create("made-once", space)
            with pytest.raises(UnprocessableError):
                await client.apps.create("made-once", space)
        assert [one.guid for one in cloud.apps.values() if one.name == "made-once"] == [app.guid]
