"""A Cloud Controller in memory, on real HTTP, with faults on demand: for tests and demos.

It shares no code with the client: it has its own routes and its own JSON.
"""

from __future__ import annotations

from aioappsapi.sandbox.server.process import SandboxProcess
from aioappsapi.sandbox.server.sandbox import Sandbox
from aioappsapi.sandbox.server.thread import SandboxThread
from aioappsapi.sandbox.world.faults import Faults

__all__ = ["Faults", "Sandbox", "SandboxProcess", "SandboxThread"]
