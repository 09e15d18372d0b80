"""Batches of resources that fit into one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# The server takes at most 10,240 bytes of query: 200 GUIDs with their commas are 7,400.
BATCH: Final = 200
# The largest `per_page` that the server takes. Source: https://v3-apidocs.cloudfoundry.org/#pagination
LARGEST_PAGE: Final = 5_000


def batches(keys: Sequence[str], size: int = BATCH) -> list[Sequence[str]]:
    """Cut keys into batches of at most `size`, in order."""
    return [keys[at : at + size] for at in range(0, len(keys), size)]
