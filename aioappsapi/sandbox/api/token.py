"""The contents of an access token, as the API uses them."""

from __future__ import annotations

from dataclasses import dataclass

from aioappsapi.sandbox.world.model import SEES_EVERYTHING, Space, User


@dataclass(frozen=True, slots=True)
class Token:
    """The user, scopes and end of an access token."""

    user_guid: str
    scopes: frozenset[str]
    expires_at: float
    user: User | None

    @property
    def is_admin(self) -> bool:
        """Whether the token may do everything."""
        return "cloud_controller.admin" in self.scopes

    @property
    def sees_everything(self) -> bool:
        """Whether the token shows everything, regardless of roles."""
        return bool(self.scopes & SEES_EVERYTHING)

    def reads(self, space: Space) -> bool:
        """Check whether the token shows the space's apps."""
        if self.sees_everything:
            return True
        return self.user is not None and self.user.reads(space)

    def changes(self, space: Space) -> bool:
        """Check whether the token may start and stop the space's apps."""
        return self.is_admin or (self.user is not None and self.user.changes(space))
