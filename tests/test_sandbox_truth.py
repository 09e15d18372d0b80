"""Every recorded exchange of two real servers, sent to the sandbox.

For each one a world is built from the other recordings of the same server. What does not agree is
listed with its reason, and the list is checked as well. `python -m tests.test_sandbox_truth` prints
what differs; with a folder, it measures the recordings in there.
"""

from __future__ import annotations

import asyncio
import fnmatch
import sys
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from aioappsapi.sandbox import Sandbox
from tests.sandbox_caller import Caller
from tests.sandbox_circumstances import CIRCUMSTANCES, arrange
from tests.sandbox_compare import disagreement
from tests.sandbox_evidence import Evidence, Known
from tests.sandbox_exceptions import EXCEPTIONS
from tests.sandbox_recordings import Recording, recordings, recordings_in
from tests.sandbox_sequences import Sequence, told, upload
from tests.sandbox_servers import SERVERS
from tests.sandbox_world import Builder

INVALID = {"expired", "bad_signature", "wrong_audience", "wrong_issuer"}
UNKEPT = ("Accept", "User-Agent", "Content-Type", "Accept-Encoding")


class Question:
    """One recording, and what the sandbox says to it."""

    def __init__(self, recording: Recording, known: Known, session: aiohttp.ClientSession) -> None:
        self.recording = recording
        self.known = known
        self.session = session

    async def disagreement(self) -> str:
        builder = Builder(SERVERS[self.recording.server], self.known, self.recording)
        sandbox = builder.build()
        arrange(builder)
        async with sandbox:
            request = self.recording.request
            headers = await self._headers(sandbox)
            url = URL(sandbox.url + request["target"], encoded=True)
            options = {"headers": headers, "data": self._body(), "skip_auto_headers": UNKEPT}
            async with self.session.request(request["method"], url, **options) as response:
                text, answered = await told(response, sandbox.url)
                return disagreement(self.recording, self.known, response.status, text, answered)

    def _body(self) -> bytes | None:
        body = self.recording.request["body"]
        if body is None:
            return None
        if body.endswith("bytes>"):
            return upload(self.recording)
        return str(body).replace("\\ufffd", "\ufffd").encode().replace(b"\xef\xbf\xbd", b"\xff")

    async def _headers(self, sandbox: Sandbox) -> dict[str, str]:
        headers = dict(self.recording.request["headers"])
        given = headers.get("Authorization", "")
        if "<TOKEN>" in given and not given.startswith("Basic"):
            caller = self.recording.caller
            token = "a.b.c" if caller in INVALID else await self._token(sandbox)
            headers["Authorization"] = given.replace("<TOKEN>", token)
        return headers

    async def _token(self, sandbox: Sandbox) -> str:
        kind = self.recording.caller or "developer"
        login = "developer" if kind == "refresh_token" else kind
        user = next(u for u in sandbox.users.values() if u.password == login)
        caller = Caller(sandbox, self.session)
        status, fields = await caller.token(
            grant_type="password", username=user.name, password=login
        )
        assert status == 200, fields
        return str(fields["refresh_token" if kind == "refresh_token" else "access_token"])


async def ask_all(rows: list[Recording], pattern: str = "*") -> dict[str, str]:
    """What the sandbox says otherwise, by recording; empty where it agrees."""
    evidence = {name: Evidence() for name in SERVERS}
    for name, one in evidence.items():
        one.take_in(row for row in recordings() if row.server == name)
    found = {}
    async with aiohttp.ClientSession() as session:
        for row in rows:
            if row.sequence is None and fnmatch.fnmatchcase(row.name, pattern):
                known = evidence[row.server].without(row)
                found[row.name] = await Question(row, known, session).disagreement()
        for steps in sequences(rows).values():
            if fnmatch.fnmatchcase(steps[0].name, pattern):
                server, known = steps[0].server, evidence[steps[0].server].without(*steps)
                found |= await Sequence(steps, known, SERVERS[server]).disagreements(session)
    return found


def sequences(rows: list[Recording]) -> dict[str, list[Recording]]:
    """The recordings that belong together, in their order."""
    found: dict[str, list[Recording]] = {}
    for row in sorted(rows, key=lambda row: row.name):
        if row.sequence is not None:
            found.setdefault(row.sequence, []).append(row)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", ["first", "second", "sequences"])
async def test_the_sandbox_answers_as_recorded(part: str) -> None:
    rows = [r for r in recordings() if (r.server if r.sequence is None else "sequences") == part]
    found = await ask_all(rows)
    wrong = {name: why for name, why in found.items() if why}
    print(f"agree {len(found) - len(wrong)} of {len(found)}")
    assert {name: why for name, why in wrong.items() if name not in EXCEPTIONS} == {}
    assert [name for name in EXCEPTIONS if name in found and name not in wrong] == []


def test_every_listed_exception_and_circumstance_has_a_recording() -> None:
    names = {row.name for row in recordings()}
    assert set(EXCEPTIONS) <= names
    assert {row.name for row in recordings() if not row.seen} <= names
    unused = [p for p, _ in CIRCUMSTANCES if not fnmatch.filter(names, p)]
    assert unused == []


if __name__ == "__main__":
    folder = [Path(one) for one in sys.argv[1:] if Path(one).is_dir()]
    patterns = [one for one in sys.argv[1:] if not Path(one).is_dir()]
    asked = recordings_in(folder[0], "second") if folder else [r for r in recordings() if r.seen]
    results = asyncio.run(ask_all(asked, *patterns))
    for name, why in results.items():
        if why:
            print(f"{name}\n    {why}")
    print(f"agree {sum(not why for why in results.values())} of {len(results)}")
