"""Jobs: what the server goes on with after it answered 202.

Source: https://v3-apidocs.cloudfoundry.org/#jobs
"""

from __future__ import annotations

import random
from typing import Final

from aioappsapi._http.call import Caller, within
from aioappsapi._http.message import Response
from aioappsapi.errors import JobFailedError
from aioappsapi.models.job import Job
from aioappsapi.resources.endpoint import endpoint

GET: Final = endpoint("get job", "GET", "/v3/jobs/{}", Job, "get-a-job")

# Seconds between looks: most jobs are done at the second one, the long ones take minutes.
_FIRST: Final = 0.5
_LONGEST: Final = 10.0


def job_of(response: Response) -> Job:
    """Read the job out of an answer that names it only in its `Location`."""
    location = response.headers.get("Location", "")
    guid = location.partition("?")[0].rstrip("/").rpartition("/")[2]
    if not guid:
        raise ValueError("no Location of a job")
    return Job(guid=guid)


class Jobs:
    """Jobs: what the server goes on with after its answer, such as the deletion of an app."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, guid: str, *, deadline: float | None = None) -> Job:
        """Fetch a job; a failed one is no error here. Source: GET /v3/jobs/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def wait(self, job: Job | str, *, deadline: float | None = None) -> Job:
        """Look at a job, at growing intervals, until it has ended; give it as it is then.

        `deadline` is in seconds from now. Raises JobFailedError with the job's own errors,
        DeadlineError if it takes longer, NotFoundError.
        """
        guid = job.guid if isinstance(job, Job) else job
        if isinstance(job, Job) and job.done:
            return _checked(job)
        if deadline is None:
            return _checked(await self._poll(guid))
        return _checked(await within(deadline, self._poll(guid), f"wait for job {guid}"))

    async def _poll(self, guid: str) -> Job:
        pause = _FIRST
        while not (job := await self.get(guid)).done:
            await self._caller.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
            pause = min(pause * 1.5, _LONGEST)
        return job


def _checked(job: Job) -> Job:
    if job.state != "FAILED":
        return job
    reasons = "; ".join(f"{error.title}: {error.detail}" for error in job.errors)
    raise JobFailedError(
        f"job {job.guid} ({job.operation or 'unknown'}) failed: {reasons or 'no reason given'}",
        guid=job.guid,
        errors=tuple(job.errors),
    )
