"""The optional parameters that a server knows, learnt from its refusals.

Older Cloud Controllers know no `embed`, and Korifi knows no `include`. Both refuse an unknown
parameter with a 400.
"""

from __future__ import annotations

from aioappsapi.errors import BadRequestError


class ServerFeatures:
    """The optional parameters of one server. Each counts as known until the server refuses it."""

    def __init__(self) -> None:
        self._missing: set[str] = set()

    def has(self, parameter: str) -> bool:
        """Check whether a parameter may be sent."""
        return parameter not in self._missing

    def learn_from_refusal(self, parameter: str, refusal: BadRequestError) -> bool:
        """Check whether the server refused because it does not know the parameter; remember it."""
        if refusal.title != "CF-BadQueryParameter":
            return False
        detail = refusal.detail or ""
        _, named, unknown = detail.partition("Unknown query parameter(s):")
        if named:
            is_unknown = f"'{parameter}'" in unknown.partition("Valid parameters")[0]
        else:
            is_unknown = "alid parameters are" in detail and parameter not in detail
        if is_unknown:
            self._missing.add(parameter)
        return is_unknown

    def remember_missing(self, parameter: str) -> None:
        """Remember that the server ignored a parameter."""
        self._missing.add(parameter)
