"""What a server turned out not to know, found out once and remembered.

Older Cloud Controllers know no `embed`, Korifi knows no `include`: both refuse them as unknown
parameters.
"""

from __future__ import annotations

from aioappsapi.errors import BadRequestError


class Abilities:
    """Which optional parameters a server knows; all, until it refuses one."""

    def __init__(self) -> None:
        self._lacking: set[str] = set()

    def has(self, parameter: str) -> bool:
        """Tell whether the server is not known to lack a parameter."""
        return parameter not in self._lacking

    def lacks(self, parameter: str, refusal: BadRequestError) -> bool:
        """Tell whether a refusal says that the parameter is unknown, and remember it if so."""
        if refusal.title != "CF-BadQueryParameter":
            return False
        said = refusal.detail or ""
        _, named, unknown = said.partition("Unknown query parameter(s):")
        if named:
            is_unknown = f"'{parameter}'" in unknown.partition("Valid parameters")[0]
        else:
            is_unknown = "alid parameters are" in said and parameter not in said
        if is_unknown:
            self._lacking.add(parameter)
        return is_unknown

    def lack(self, parameter: str) -> None:
        """Remember that the server does not know a parameter, which it ignored."""
        self._lacking.add(parameter)
