"""Jobs: work that the server continues after a 202.

Source: https://v3-apidocs.cloudfoundry.org/#jobs
"""

from __future__ import annotations

from typing import Final

from aioappsapi._http.message import Response
from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.poll import poll_until
from aioappsapi.errors import JobFailedError
from aioappsapi.models.job import Job

GET: Final = endpoint("get job", "GET", "/v3/jobs/{}", Job, "get-a-job")


def job_of(response: Response) -> Job:
    """Return the job that an answer names only in its `Location`."""
    location = response.headers.get("Location", "")
    guid = location.partition("?")[0].rstrip("/").rpartition("/")[2]
    if not guid:
        raise ValueError("no Location of a job")
    return Job(guid=guid)


class Jobs(Endpoints):
    """The endpoints of jobs: work after the answer, such as the deletion of an app."""

    async def get(self, guid: str, *, deadline: float | None = None) -> Job:
        """Fetch a job. A failed job is returned like any other.

        Raises NotFoundError. Source: GET /v3/jobs/{guid}.
        """
        return await self._caller.call(GET, guid, deadline=deadline)

    async def wait(self, job: Job | str, *, deadline: float | None = None) -> Job:
        """Poll a job at growing intervals until it has ended, and return it.

        `deadline` is in seconds from now. Raises JobFailedError with the job's own errors,
        DeadlineError if the job takes longer, NotFoundError. Source: GET /v3/jobs/{guid}.
        """
        if isinstance(job, Job) and job.done:
            return _checked(job)
        guid = job.guid if isinstance(job, Job) else job
        ended = await poll_until(
            self._caller,
            lambda: self.get(guid),
            lambda job: job.done,
            what=f"wait for job {guid}",
            deadline=deadline,
            describe=lambda job: job.state or "nothing",
        )
        return _checked(ended)


def _checked(job: Job) -> Job:
    if job.state != "FAILED":
        return job
    reasons = "; ".join(f"{error.title}: {error.detail}" for error in job.errors)
    raise JobFailedError(
        f"job {job.guid} ({job.operation or 'unknown'}) failed: {reasons or 'no reason given'}",
        guid=job.guid,
        errors=tuple(job.errors),
    )
