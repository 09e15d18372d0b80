"""Jobs: work that goes on after the answer, such as a deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.api.access import DEVELOPERS, Access
from aioappsapi.sandbox.api.answer import Answer, accepted, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.outages import UP, runner_error
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.world.model import STARTED, App, guid
from aioappsapi.sandbox.world.realm import Realm
from aioappsapi.sandbox.world.resources import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Jobs:
    """The routes of jobs, and the routes that begin a job."""

    def __init__(self, realm: Realm, access: Access) -> None:
        self._realm = realm
        self._world = realm.world
        self._shelf = realm.shelf
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET jobs/*": self._show,
            "DELETE apps/*": self._delete_app,
            "POST apps/*/actions/clear_buildpack_cache": self._clear_cache,
        }

    def begin(
        self,
        operation: str,
        resource: tuple[str, str] | None,
        finish: Callable[[Job], None] | None = None,
    ) -> Job:
        """Begin a job. It is complete after `finish`, unless `finish` has set another state."""
        job = Job(guid=guid(self._world.rng), operation=operation, resource=resource)
        self._shelf.jobs[job.guid] = job

        def end() -> None:
            if finish is not None:
                finish(job)
            if job.state == "PROCESSING":
                job.state = "COMPLETE"

        self._shelf.begin(job, end)
        return job

    def accepted(self, call: Call, job: Job) -> Answer:
        """Answer 202 with the location of the job."""
        return accepted(f"{call.views.base}/v3/jobs/{job.guid}", call.answer_type)

    def _show(self, call: Call, job_guid: str) -> Answer:
        call.reader()
        job = self._shelf.jobs.get(job_guid)
        if job is None:
            raise errors.not_found("Job")
        self._shelf.count_read(job)
        return Answer(200, self._text(call, job))

    def _text(self, call: Call, job: Job) -> str:
        base = call.views.base
        links = {"self": {"href": f"{base}/v3/jobs/{job.guid}"}}
        if job.resource is not None and self._exists(*job.resource):
            kind, resource_guid = job.resource
            links[kind] = {"href": f"{base}/v3/{kind.removesuffix('s')}s/{resource_guid}"}
        return json_text(
            {
                "guid": job.guid,
                "created_at": job.created_at,
                "updated_at": job.updated_at,
                "operation": job.operation,
                "state": job.state,
                "errors": job.errors,
                "warnings": [],
                "links": links,
            }
        )

    def _exists(self, kind: str, resource_guid: str) -> bool:
        shelf, marketplace = self._shelf, self._realm.marketplace
        if kind == "route":
            return self._realm.network.route(resource_guid) is not None
        known: dict[str, Collection[str]] = {
            "app": self._world.apps,
            "space": self._world.spaces,
            "organization": self._world.organizations,
            "user": self._world.users,
            "droplet": shelf.droplets,
            "package": shelf.packages,
            "service_instance": marketplace.instances,
            "service_instances": marketplace.instances,
            "service_credential_binding": marketplace.bindings,
        }
        return resource_guid in known[kind]

    def _delete_app(self, call: Call, app_guid: str) -> Answer:
        _, app = self._access.changeable(call, app_guid, DEVELOPERS)
        job = self._shelf.jobs.get(app.deletion or "")
        if job is None or job.state != "PROCESSING":
            job = self.begin("app.delete", ("app", app.guid), lambda job: self._remove(app, job))
            app.deletion = job.guid
        return self.accepted(call, job)

    def _remove(self, app: App, job: Job) -> None:
        self._realm.remove_app(app)
        mode = self._world.diego
        if app.state == STARTED and mode != UP:
            error = runner_error(mode, app.processes[0], self._world.diego_error)
            job.state = "FAILED"
            job.errors = [{"detail": error.detail, "title": error.title, "code": error.code}]

    def _clear_cache(self, call: Call, app_guid: str) -> Answer:
        _, app = self._access.changeable(call, app_guid)
        return self.accepted(call, self.begin("app.clear_buildpack_cache", ("app", app.guid)))
