"""The table of permissions, made from the recorded answers of a real server to users with roles."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from tests.sandbox_recordings import Recording, recordings
from tools import operations

ROLES: Final = {
    "developer": "space developer",
    "supporter": "space supporter",
    "auditor": "space auditor",
    "space_manager": "space manager",
    "org_manager": "organization manager",
    "global_auditor": "global auditor",
    "admin_read_only": "read-only admin",
}
_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def table() -> str:
    """Make the table: one row for each endpoint that was recorded with two roles or more."""
    seen = _seen()
    lines = [f"| endpoint | {' | '.join(ROLES.values())} |", "|---" * (len(ROLES) + 1) + "|"]
    known = _known()
    for endpoint in sorted(seen, key=lambda one: one.split()[::-1]):
        roles = seen[endpoint]
        if len(roles) > 1 and re.sub(r"/features/.*", "/features/…", endpoint) in known:
            cells = " | ".join({True: "yes", False: "no", None: ""}[roles.get(r)] for r in ROLES)
            lines.append(f"| `{endpoint}` | {cells} |")
    return "\n".join(lines) + "\n"


def _known() -> set[str]:
    """Return the endpoints that the library has a method for."""
    return {row.split("`")[3] for row in operations.table().splitlines()[2:]}


def _seen() -> dict[str, dict[str, bool]]:
    """Read which roles an endpoint let in; a success with a role outweighs a refusal."""
    seen: dict[str, dict[str, bool]] = defaultdict(dict)
    for one in recordings():
        allowed = _allowed(one)
        if one.caller in ROLES and allowed is not None:
            roles = seen[_endpoint(one)]
            roles[one.caller] = roles.get(one.caller, False) or allowed
    return seen


def _endpoint(one: Recording) -> str:
    path = _GUID.sub("…", one.target.partition("?")[0])
    return f"{one.method} {re.sub(r'/processes/[a-z]+', '/processes/…', path)}"


def _allowed(one: Recording) -> bool | None:
    if one.status < 300:
        return True
    forbidden = one.status == 403 and "CF-NotAuthorized" in one.text
    unusable = one.status == 422 and "you have access to it" in one.text
    return False if forbidden or unusable else None
