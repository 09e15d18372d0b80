"""How fast the sandbox is, and how much memory it takes.

A bare socket client in this process asks a sandbox in another one, on 10 connections without
pipelining. `per_cpu_s` divides by the processor time that the server took, which is what one core
could do; `per_s` by the time on the wall, in which this client takes its share of the machine.
"""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from aioappsapi.sandbox import SandboxProcess

STARTS = 10_000
CONNECTIONS = 10
PAGE = 5_000
MANY = 100_000


class Connection:
    """One keep-alive connection; it knows no more HTTP than this benchmark needs."""

    def __init__(self, url: str, token: str = "") -> None:
        self._address = urlsplit(url)
        self._authorization = f"Authorization: bearer {token}\r\n" if token else ""

    async def open(self) -> None:
        """Connect."""
        host, port = self._address.hostname, self._address.port
        self._reader, self._writer = await asyncio.open_connection(host, port, limit=2**26)

    async def ask(self, method: str, path: str, more: str = "", body: str = "") -> bytes:
        """Send a request, and return the body of its 200."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\n"
        self._writer.write(f"{head}{self._authorization}{more}{length}\r\n{body}".encode())
        headers = await self._reader.readuntil(b"\r\n\r\n")
        assert headers.startswith(b"HTTP/1.1 200"), headers
        size = int(headers.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        return await self._reader.readexactly(size)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def login(url: str) -> str:
    connection = Connection(url)
    await connection.open()
    basic = base64.b64encode(b"cf:").decode()
    more = f"Authorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    form = "grant_type=password&username=admin&password=admin"
    token = json.loads(await connection.ask("POST", "/uaa/oauth/token", more, form))
    connection.close()
    return str(token["access_token"])


async def start_all(url: str) -> float:
    """Start every app; the seconds it took."""
    token = await login(url)
    connections = [Connection(url, token) for _ in range(CONNECTIONS)]
    for connection in connections:
        await connection.open()
    guids: list[str] = []
    for page in range(1, STARTS // PAGE + 1):
        text = await connections[0].ask("GET", f"/v3/apps?per_page={PAGE}&page={page}")
        guids += [app["guid"] for app in json.loads(text)["resources"]]
    rest: Iterator[str] = iter(guids)

    async def work(connection: Connection) -> None:
        for guid in rest:
            await connection.ask("POST", f"/v3/apps/{guid}/actions/start")

    began = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return took


async def list_page(url: str) -> float:
    """Ask for one page of 5,000 apps three times; the seconds of the best."""
    connection = Connection(url, await login(url))
    await connection.open()
    best = 1e9
    for _ in range(3):
        began = time.perf_counter()
        await connection.ask("GET", f"/v3/apps?per_page={PAGE}&include=space.organization")
        best = min(best, time.perf_counter() - began)
    connection.close()
    return best


def spent(work: Callable[[], float], apps: int) -> tuple[float, float]:
    """Run it; what it returns, and the processor seconds of the child beyond coming up."""
    before = _children()
    with SandboxProcess(apps):
        pass
    idle = _children() - before
    took = work()
    return took, _children() - before - 2 * idle


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def starts(**options: Any) -> dict[str, float]:
    def work() -> float:
        with SandboxProcess(STARTS, **options) as sandbox:
            return asyncio.run(start_all(sandbox.url))

    took, cpu = spent(work, STARTS)
    return {"per_s": round(STARTS / took), "per_cpu_s": round(STARTS / cpu)}


def page() -> float:
    with SandboxProcess(PAGE) as sandbox:
        return round(asyncio.run(list_page(sandbox.url)), 3)


def seconds_to_start() -> float:
    """Return the seconds from the call until a sandbox of 500 apps listens, in this process."""
    code = (
        "import asyncio, time\n"
        "from aioappsapi.sandbox import Sandbox\n"
        "async def main():\n"
        "    began = time.perf_counter()\n"
        "    async with Sandbox(500):\n"
        "        print(time.perf_counter() - began)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return round(float(done.stdout), 4)


def process_up() -> float:
    """Return the seconds until 500 apps are served, the interpreter and imports included."""
    began = time.perf_counter()
    with SandboxProcess(500):
        return round(time.perf_counter() - began, 2)


def memory() -> dict[str, float]:
    """Return the MB that 100,000 apps take in their process, at rest and once all were started."""
    code = (
        "import resource\n"
        "from aioappsapi.sandbox import Faults, Sandbox\n"
        "def mb(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        f"sandbox = Sandbox({MANY}, faults=Faults(startup=1))\n"
        "print(mb())\n"
        "for app in sandbox.apps.values():\n"
        "    app.switch('STARTED'); app.applied['start'] += 1; sandbox.world.fleet.launch(app)\n"
        "print(mb())\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    at_rest, started = map(float, done.stdout.split())
    return {"at_rest": round(at_rest), "started": round(started)}


def main() -> None:
    result = {
        "starts": starts(),
        "starts_with_instances": starts(startup=1.0, cells=10, cell_memory_mb=10_000_000),
        "page_of_5000_s": page(),
        "up_500_apps_s": seconds_to_start(),
        "process_up_500_apps_s": process_up(),
        "memory_of_100000_apps_mb": memory(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
