"""Permissions: which apps a token shows, what it may change, and which features are on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aioappsapi.sandbox.api import errors
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.platform.flags import DEFAULTS
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.model import App, Organization, Space, User
from aioappsapi.sandbox.world.state import World

DEVELOPERS: Final = frozenset({"space_developer"})
SUPPORTERS: Final = frozenset({"space_developer", "space_supporter"})
MANAGERS: Final = frozenset({"org_manager"})
_ADMINS: Final = frozenset({"cloud_controller.admin"})
# Tokens with these scopes may use a feature although its flag is off.
_FLAG_SKIPPERS: Final[Mapping[str, frozenset[str]]] = {
    "app_bits_upload": _ADMINS,
    "app_scaling": _ADMINS,
    "set_roles_by_username": _ADMINS,
    "space_developer_env_var_visibility": _ADMINS | {"cloud_controller.admin_read_only"},
    "task_creation": _ADMINS,
    "unset_roles_by_username": _ADMINS,
}
_SECRETS: Final = frozenset({"cloud_controller.admin", "cloud_controller.admin_read_only"})


class Access:
    """The permissions in a world. Each refusal is raised as an ApiError."""

    def __init__(self, world: World) -> None:
        self._world = world

    def app(self, token: Token, app_guid: str) -> App:
        """Return the app if the token shows it."""
        app = self._world.apps.get(app_guid)
        if app is None or not token.reads(app.space):
            raise errors.not_found("App")
        return app

    def apps(self, token: Token, guids: frozenset[str] | None) -> Sequence[App]:
        """Return the apps that the token shows; with `guids`, only those among them."""
        apps: Iterable[App] = self._world.apps.values()
        if guids is not None:
            # fast path: a lookup of the given GUIDs is faster than a loop over 100,000 apps.
            known = self._world.apps
            apps = sorted((known[g] for g in guids if g in known), key=lambda app: app.number)
        visible = {space.guid for space in self.spaces(token)}
        if len(visible) == len(self._world.spaces):
            return list(apps)
        return [app for app in apps if app.space.guid in visible]

    def readable(self, call: Call, app_guid: str) -> App:
        """Return the app for a request that reads it."""
        return self.app(call.reader(), app_guid)

    def changeable(
        self, call: Call, app_guid: str, roles: frozenset[str] = SUPPORTERS
    ) -> tuple[Token, App]:
        """Return the app for a request that changes it and needs one of the roles."""
        token = call.writer()
        app = self.app(token, app_guid)
        self.check_change(token, app.space, roles)
        return token, app

    def may_change(self, token: Token, space: Space, roles: frozenset[str]) -> bool:
        """Check whether the token has one of the roles in the space, suspended or not."""
        return token.is_admin or holds(token, space, roles)

    def check_change(self, token: Token, space: Space, roles: frozenset[str]) -> None:
        """Refuse users without a role, and all but admins in a suspended space or organization."""
        if not self.may_change(token, space, roles):
            raise errors.not_authorized()
        self.check_writable(token, space)

    def check_writable(self, token: Token, space: Space) -> None:
        """Refuse changes in a suspended organization or space.

        Admins may change both, and managers of the organization a suspended space.
        """
        if token.is_admin:
            return
        if space.organization.suspended:
            raise errors.org_suspended()
        if space.suspended and not holds(token, space.organization, MANAGERS):
            raise errors.space_suspended()

    def belongs(self, user: User, organization: Organization) -> bool:
        """Check whether the user has any role in the organization or in one of its spaces."""
        spaces = self._world.spaces.values()
        places = [organization.guid, *(s.guid for s in spaces if s.organization is organization)]
        return any(user.roles.get(place) for place in places)

    def organizations(self, token: Token) -> list[Organization]:
        """Return the organizations that the token shows."""
        everything = self._world.organizations.values()
        if token.sees_everything or token.user is None:
            return list(everything) if token.sees_everything else []
        return [one for one in everything if self.belongs(token.user, one)]

    def organization(self, token: Token, organization_guid: str) -> Organization:
        """Return the organization if the token shows it."""
        found = self._world.organizations.get(organization_guid)
        if found is None or found not in self.organizations(token):
            raise errors.not_found("Organization")
        return found

    def spaces(self, token: Token) -> list[Space]:
        """Return the spaces that the token shows."""
        return [space for space in self._world.spaces.values() if token.reads(space)]

    def space(self, token: Token, space_guid: str) -> Space:
        """Return the space if the token shows it."""
        space = self._world.spaces.get(space_guid)
        if space is None or not token.reads(space):
            raise errors.not_found("Space")
        return space

    def users(self, token: Token) -> list[User]:
        """Return the users that the token shows: those who share an organization with its user."""
        everybody = self._world.users.values()
        if token.sees_everything:
            return list(everybody)
        shared = self.organizations(token)
        return [
            user
            for user in everybody
            if user is token.user or any(self.belongs(user, one) for one in shared)
        ]

    def check_flag(self, token: Token, name: str) -> None:
        """Refuse a feature that an operator has switched off; some flags do not bind admins."""
        skips = token.scopes & _FLAG_SKIPPERS.get(name, frozenset())
        if not skips and not self.is_on(name):
            raise errors.feature_disabled(self._world.flag_messages.get(name, name))

    def is_on(self, name: str) -> bool:
        """Check whether a feature is on."""
        return self._world.flags.get(name, DEFAULTS[name])

    def with_secrets(self, call: Call, app_guid: str) -> tuple[Token, App]:
        """Return the app for a request that reads its environment."""
        token = call.reader()
        self.check_flag(token, "env_var_visibility")
        app = self.app(token, app_guid)
        if not (token.scopes & _SECRETS or holds(token, app.space, SUPPORTERS)):
            raise errors.not_authorized()
        self.check_flag(token, "space_developer_env_var_visibility")
        return token, app

    def reads_secrets(self, token: Token, space: Space) -> bool:
        """Check whether the token shows the credentials in the space."""
        return bool(token.scopes & _SECRETS) or holds(token, space, DEVELOPERS)


def holds(token: Token, place: Space | Organization, roles: frozenset[str]) -> bool:
    """Check whether the token's user has one of the roles in exactly this space or organization."""
    return token.user is not None and bool(token.user.roles.get(place.guid, set()) & roles)


def manages(token: Token, organization: Organization) -> bool:
    """Check whether the token may change the organization itself."""
    return token.is_admin or holds(token, organization, MANAGERS)
