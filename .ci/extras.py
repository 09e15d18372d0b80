"""Check an installation with the extras that are named: they work, and the others are named.

Run it with the interpreter of the installation: ``python .ci/extras.py [cli] [otel] [sandbox]``.
"""

import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("aioappsapi"))
TLS = """
import asyncio
from aioappsapi.sandbox import Sandbox

asyncio.run(Sandbox(1, tls=True).start())
"""
USES = {
    "cli": [PROGRAM, "start", "--all", "--sandbox", "3", "--profile", "none"],
    "otel": [sys.executable, "-c", "from aioappsapi.telemetry import Telemetry; Telemetry()"],
    "sandbox": [sys.executable, "-c", TLS],
}
ALWAYS = [
    [PROGRAM, "--version"],
    [sys.executable, "-c", "from aioappsapi import Client; from aioappsapi.sandbox import Sandbox"],
]

for command in ALWAYS:
    subprocess.run(command, check=True, capture_output=True)
for extra, command in USES.items():
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    output = done.stdout + done.stderr
    if extra in sys.argv[1:]:
        assert done.returncode == 0, output
    else:
        assert done.returncode != 0
        assert f"aioappsapi[{extra}]" in output, output
print("extras:", ", ".join(sys.argv[1:]) or "none")
