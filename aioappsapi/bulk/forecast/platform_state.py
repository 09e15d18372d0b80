"""The state of the platform before a run: apps, quotas, roles, feature flags. Nothing changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from aioappsapi._http.batches import batches
from aioappsapi._http.call import Caller
from aioappsapi._http.pooled import pooled
from aioappsapi.api.apps import Apps
from aioappsapi.api.feature_flags import FeatureFlags
from aioappsapi.api.processes import Processes
from aioappsapi.api.quotas import Quotas
from aioappsapi.api.roles import Roles
from aioappsapi.bulk.actions.footprint import Footprint, read_footprints
from aioappsapi.errors import AppsApiError, AuthError, TargetError
from aioappsapi.models.app import App
from aioappsapi.models.quota import AppQuota, QuotaUsage

_ADMIN: Final = "cloud_controller.admin"
_WRITE: Final = "cloud_controller.write"
_ROLES: Final = ("space_developer", "space_supporter")
_AT_ONCE: Final = 8

log = logging.getLogger("aioappsapi")


class QuotaHeadroom:
    """The quota and usage of an organization or a space; `prefix` is part of its refusals."""

    def __init__(self, prefix: str, quota: AppQuota, usage: QuotaUsage) -> None:
        self._prefix = prefix
        self._quota = quota
        self._memory = usage.memory_in_mb
        self._instances = usage.started_instances

    def refusals(self, load: Footprint) -> Iterator[tuple[int, str]]:
        """Yield the quotas that an app would exceed, with the server's texts and their order."""
        quota, prefix = self._quota, self._prefix
        first = not prefix  # the refusals of an organization come first, except for total memory
        if _exceeds(self._memory + load.memory, quota.total_memory_in_mb):
            yield int(first), f"memory {prefix}quota_exceeded"
        if _exceeds(load.largest, quota.per_process_memory_in_mb):
            yield 2 + (not first), f"memory {prefix}instance_memory_limit_exceeded"
        if _exceeds(self._instances + load.instances, quota.total_instances):
            yield 4 + (not first), f"app_instance_limit {prefix}app_instance_limit_exceeded"

    def take(self, load: Footprint) -> None:
        """Subtract an app that would start from the quota."""
        self._memory += load.memory
        self._instances += load.instances


def _exceeds(amount: int, limit: int | None) -> bool:
    return limit is not None and limit >= 0 and amount > limit


class AppFacts(msgspec.Struct, frozen=True, gc=False):
    """The data of an app that a forecast needs, in a fraction of its memory.

    `suspended` is the title of the refusal for all users but administrators, if any.
    """

    guid: str
    name: str
    state: str
    lifecycle: str
    has_droplet: bool
    space: str | None
    space_name: str | None
    organization: str | None
    organization_name: str | None
    suspended: str | None

    @classmethod
    def of(cls, app: App) -> AppFacts:
        """Take the facts from an app that was read with its space and organization, if possible."""
        droplet = app.relationships.current_droplet
        space = app.space if app.included_space else None
        organization = app.organization if app.included_organization else None
        suspended = "SpaceSuspended" if space is not None and space.suspended else None
        if organization is not None and organization.suspended:
            suspended = "OrgSuspended"
        return cls(
            guid=app.guid,
            name=app.name,
            state=app.state,
            lifecycle=app.lifecycle.type,
            has_droplet=droplet is not None and droplet.guid is not None,
            # From the space, which the apps of a page share, so that its texts are shared as well.
            space=space.guid if space is not None else app.relationships.space.guid,
            space_name=space.name if space is not None else None,
            organization=space.relationships.organization.guid if space is not None else None,
            organization_name=organization.name if organization is not None else None,
            suspended=suspended,
        )


class PlatformState(msgspec.Struct, kw_only=True):
    """The state that was read. A part that could not be read is missing, and refuses no app.

    An `admin` may change everything, even in suspended spaces. `writes`: the login may change
    something. `spaces` are the spaces where it has a role that may start apps.
    `switched_off` maps the names of switched-off features to the server's message. `headrooms` are
    by the GUID of the space or organization.
    """

    apps: dict[str, AppFacts] = msgspec.field(default_factory=dict)
    loads: dict[str, Footprint] = msgspec.field(default_factory=dict)
    headrooms: dict[str, QuotaHeadroom] = msgspec.field(default_factory=dict)
    switched_off: dict[str, str] = msgspec.field(default_factory=dict)
    admin: bool = False
    writes: bool = True
    spaces: frozenset[str] | None = None


class PlatformReader:
    """Reads the state: one request per 200 apps and list, a few per space and organization."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._apps = Apps(caller)
        self._processes = Processes(caller)
        self._quotas = Quotas(caller)
        self._roles = Roles(caller)
        self._flags = FeatureFlags(caller)
        self._state = PlatformState()

    async def read(self, keys: Sequence[str], *, weigh_all: bool = False) -> PlatformState:
        """Read everything. Raises the errors of the list of apps; other parts may be missing.

        The memory of stopped apps is read for the quotas; `weigh_all` reads it for all apps.
        """
        state = self._state
        await pooled(self._read_apps, batches(keys), at_once=_AT_ONCE)
        stopped = [app.guid for app in state.apps.values() if app.state != "STARTED"]
        weighed = list(state.apps) if weigh_all else stopped
        await pooled(self._read_footprints, batches(weighed), at_once=_AT_ONCE)
        await self._read_login()
        await self._read_flags()
        await self._read_headrooms([state.apps[guid] for guid in stopped])
        return state

    async def _read_apps(self, keys: Sequence[str]) -> None:
        pager = self._apps.list(guids=keys, include=["space.organization"], per_page=len(keys))
        async for app in pager:
            self._state.apps[app.guid] = AppFacts.of(app)

    async def _read_footprints(self, keys: Sequence[str]) -> None:
        try:
            self._state.loads.update(await read_footprints(self._processes, keys))
        except AppsApiError as failure:
            _unknown("memory", failure)

    async def _read_login(self) -> None:
        claims = await self._caller.claims()
        if claims is None or not claims.scope:
            return
        self._state.admin = _ADMIN in claims.scope
        self._state.writes = self._state.admin or _WRITE in claims.scope
        if self._state.admin or claims.user_id is None:
            return
        spaces = sorted({app.space or "" for app in self._state.apps.values()})
        pager = self._roles.list(
            user_guids=[claims.user_id], space_guids=[s for s in spaces if s], types=_ROLES
        )
        try:
            found = {
                role.relationships.space.guid async for role in pager if role.relationships.space
            }
            self._state.spaces = frozenset(guid for guid in found if guid)
        except AppsApiError as failure:
            _unknown("roles", failure)

    async def _read_flags(self) -> None:
        if {app.lifecycle for app in self._state.apps.values()} <= {"buildpack"}:
            return
        try:
            flags = await self._flags.list().all()
            self._state.switched_off = {
                flag.name: flag.custom_error_message or flag.name
                for flag in flags
                if not flag.enabled
            }
        except AppsApiError as failure:
            _unknown("feature flags", failure)

    async def _read_headrooms(self, apps: Sequence[AppFacts]) -> None:
        """Read the quotas of all spaces and organizations that have one, and their usage."""
        spaces = {app.space for app in apps if app.space is not None}
        organizations = {app.organization for app in apps if app.organization is not None}
        try:
            if organizations:
                await self._read_organizations(sorted(organizations))
            if spaces:
                await self._read_spaces(sorted(spaces))
        except AppsApiError as failure:
            _unknown("quotas", failure)

    async def _read_organizations(self, guids: Sequence[str]) -> None:
        wanted = set(guids)
        async for quota in self._quotas.list_for_organizations(organization_guids=guids):
            for ref in quota.relationships.organizations.data:
                if ref.guid is not None and ref.guid in wanted and _limits(quota.apps):
                    usage = await self._quotas.get_usage(organization_guid=ref.guid)
                    self._state.headrooms[ref.guid] = QuotaHeadroom("", quota.apps, usage)

    async def _read_spaces(self, guids: Sequence[str]) -> None:
        wanted = set(guids)
        async for quota in self._quotas.list_for_spaces(space_guids=guids):
            for ref in quota.relationships.spaces.data:
                if ref.guid is not None and ref.guid in wanted and _limits(quota.apps):
                    usage = await self._quotas.get_usage(space_guid=ref.guid)
                    self._state.headrooms[ref.guid] = QuotaHeadroom("space_", quota.apps, usage)


def _limits(quota: AppQuota) -> bool:
    limits = (quota.total_memory_in_mb, quota.per_process_memory_in_mb, quota.total_instances)
    return any(limit is not None for limit in limits)


def _unknown(what: str, failure: AppsApiError) -> None:
    if isinstance(failure, AuthError | TargetError):
        raise failure
    log.warning("The forecast leaves out %s, which could not be read: %s", what, failure)
