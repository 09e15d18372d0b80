from __future__ import annotations

from collections.abc import Sequence

import pytest

from aioappsapi import DeadlineError, JobFailedError
from aioappsapi.api.apps import Apps
from aioappsapi.api.jobs import Jobs
from aioappsapi.errors import DecodeError, DisconnectedError, NotFoundError
from aioappsapi.models import Job
from tests.replay import AT_ONCE, Answer, Answering, Seen, Wire, refusal, reply


def job(state: str, **fields: object) -> Answer:
    return reply({"guid": "job-1", "state": state, "operation": "app.delete", **fields})


def playing(answers: Sequence[Answer | Exception]) -> Answering:
    """Answer with one after the other, and then always with the last."""
    left = list(answers)

    async def answering(seen: Seen) -> Answer:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return answering


def jobs(wire: Wire) -> tuple[Jobs, list[float]]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    caller = wire.caller()
    caller.sleep = sleep
    return Jobs(caller), pauses


async def test_a_job_is_polled_at_growing_intervals_until_it_has_ended() -> None:
    wire = Wire(playing([job("PROCESSING"), job("POLLING"), job("PROCESSING"), job("COMPLETE")]))
    client, pauses = jobs(wire)
    done = await client.wait(Job(guid="job-1"), deadline=60)
    assert done.state == "COMPLETE"
    assert [seen.target for seen in wire.seen] == ["/v3/jobs/job-1"] * 4
    assert len(pauses) == 3
    assert 0.4 <= pauses[0] <= 0.6
    assert pauses[2] > pauses[0]
    assert max(pauses) <= 12


async def test_a_finished_job_is_not_polled() -> None:
    wire = Wire(playing([job("PROCESSING")]))
    client, _ = jobs(wire)
    done = Job(guid="", state="COMPLETE")
    assert await client.wait(done) is done
    assert wire.seen == []


async def test_a_failed_job_raises_its_own_errors() -> None:
    errors = [{"code": 10008, "title": "CF-UnprocessableEntity", "detail": "broker exploded"}]
    client, _ = jobs(Wire(playing([job("FAILED", errors=errors)])))
    with pytest.raises(JobFailedError, match="broker exploded") as caught:
        await client.wait("job-1")
    assert caught.value.guid == "job-1"
    assert caught.value.errors[0].title == "CF-UnprocessableEntity"


async def test_a_job_that_outlasts_the_deadline_raises() -> None:
    wire = Wire(playing([job("PROCESSING")]))
    with pytest.raises(DeadlineError, match="wait for job job-1"):
        await Jobs(wire.caller()).wait("job-1", deadline=0.001)


async def test_delete_returns_the_job_that_its_answer_names() -> None:
    location = Answer(202, b"", (("Location", "https://api.example.org/v3/jobs/job-7"),))
    deleted = await Apps(Wire(playing([location])).caller()).delete("app-1")
    assert deleted.guid == "job-7"
    assert not deleted.done


async def test_an_accepted_delete_without_a_job_is_an_error() -> None:
    with pytest.raises(DecodeError, match="it was accepted"):
        await Apps(Wire(playing([Answer(202)])).caller()).delete("app-1")


async def test_not_found_after_a_lost_answer_means_deleted() -> None:
    gone = refusal(404, "CF-ResourceNotFound", 10010)
    wire = Wire(playing([DisconnectedError("lost"), gone]))
    deleted = await Apps(wire.caller(retry=AT_ONCE)).delete("app-1")
    assert deleted.done
    assert len(wire.seen) == 2


async def test_not_found_at_once_is_an_error() -> None:
    gone = refusal(404, "CF-ResourceNotFound", 10010)
    with pytest.raises(NotFoundError):
        await Apps(Wire(playing([gone])).caller(retry=AT_ONCE)).delete("app-1")
