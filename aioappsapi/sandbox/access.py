"""Who may do what with which app, and which features are on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from . import answer as say
from .call import Call
from .state import App, Space, World
from .uaa import Token

DEVELOPERS: Final = frozenset({"space_developer"})
SUPPORTERS: Final = frozenset({"space_developer", "space_supporter"})
_SECRETS: Final = frozenset({"cloud_controller.admin", "cloud_controller.admin_read_only"})


class Access:
    """The permissions over a world. Refusals are raised as ApiError."""

    def __init__(self, world: World) -> None:
        self._world = world

    def app(self, token: Token, app_guid: str) -> App:
        """Return the app if the token shows it."""
        app = self._world.apps.get(app_guid)
        if app is None or not token.reads(app.space):
            raise say.not_found("App")
        return app

    def apps(self, token: Token, guids: frozenset[str] | None) -> Sequence[App]:
        """Return the apps that the token shows, of those asked for by GUID if any are."""
        apps: Iterable[App] = self._world.apps.values()
        if guids is not None:
            # fast path: looking up the GUIDs asked for beats a walk over 100,000 apps.
            known = self._world.apps
            apps = sorted((known[g] for g in guids if g in known), key=lambda app: app.number)
        visible = {space.guid for space in self._world.spaces.values() if token.reads(space)}
        if len(visible) == len(self._world.spaces):
            return list(apps)
        return [app for app in apps if app.space.guid in visible]

    def readable(self, call: Call, app_guid: str) -> App:
        """Return the app for a request that reads it."""
        return self.app(call.reader(), app_guid)

    def changeable(
        self, call: Call, app_guid: str, roles: frozenset[str] = SUPPORTERS
    ) -> tuple[Token, App]:
        """Return the app for a request that changes it, which wants one of the roles."""
        token = call.writer()
        app = self.app(token, app_guid)
        self.check_change(token, app.space, roles)
        return token, app

    def check_change(self, token: Token, space: Space, roles: frozenset[str]) -> None:
        """Refuse those without a role, and everybody but admins in what is suspended."""
        if token.is_admin:
            return
        if not holds(token, space, roles):
            raise say.not_authorized()
        if space.organization.suspended:
            raise say.org_suspended()
        if space.suspended:
            raise say.space_suspended()

    def check_flag(self, token: Token, name: str) -> None:
        """Refuse what an operator has switched off, except to admins."""
        if not token.is_admin and not self._world.flags.get(name, True):
            raise say.feature_disabled(name)

    def with_secrets(self, call: Call, app_guid: str) -> tuple[Token, App]:
        """Return the app for a request that reads its environment."""
        token = call.reader()
        app = self.app(token, app_guid)
        if token.scopes & _SECRETS:
            return token, app
        if not holds(token, app.space, SUPPORTERS):
            raise say.not_authorized()
        self.check_flag(token, "env_var_visibility")
        if holds(token, app.space, DEVELOPERS):
            self.check_flag(token, "space_developer_env_var_visibility")
        return token, app

    def sees_sensitive(self, token: Token, app: App) -> bool:
        """Whether the token shows the app's credentials."""
        return bool(token.scopes & _SECRETS) or holds(token, app.space, DEVELOPERS)


def holds(token: Token, space: Space, roles: frozenset[str]) -> bool:
    """Whether the token's user has one of the roles in the space."""
    return token.user is not None and bool(token.user.roles.get(space.guid, set()) & roles)
