"""The sandbox in a thread of this process, for code that is not async or has its own loop."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from aioappsapi.sandbox.server.sandbox import Sandbox


class SandboxThread:
    """Serves a `Sandbox` from an event loop in a thread: ``with SandboxThread(Sandbox(5)) as s:``.

    Its state may be read from outside at any time; change it only between requests.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    def __enter__(self) -> Sandbox:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._sandbox.start(), self._loop).result()
        except BaseException:
            self.close()
            raise
        return self._sandbox

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and end the thread."""
        asyncio.run_coroutine_threadsafe(self._sandbox.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
