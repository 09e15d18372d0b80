"""What a run reads of apps before their turn, and what its outcomes say of them."""

from __future__ import annotations
