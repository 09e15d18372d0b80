"""What a run reads of apps before their turn, and what its outcomes say of them."""

from __future__ import annotations

from aioappsapi import App, Status
from tests.cloud import Cloud, Planned
from tests.drivers import virtual
