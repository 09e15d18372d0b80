"""Makes the pictures of the README: ``python -m tools.pictures``. Needs pyte and Chromium.

A real run against the sandbox draws on a terminal in memory; what stands there in the end becomes
an SVG. The report of the same run is opened in a browser.
"""

from __future__ import annotations

import io
import os
import pty
import shutil
import sys
import tempfile
from contextlib import chdir
from itertools import groupby
from pathlib import Path

import pyte
from playwright.sync_api import sync_playwright
from pyte.screens import Char
from rich.console import Console
from rich.text import Text

ASSETS = Path(__file__).parent.parent / "docs" / "assets"
REPORT = "start.html"
ARGUMENTS = ["start", "--all", "--sandbox", "500", "--wait", "all", "--report", REPORT]
WIDTH, HEIGHT = 96, 60


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        screen = _run(ARGUMENTS)
        _draw(screen, "aioappsapi " + " ".join(ARGUMENTS))
        _photograph(Path(folder) / REPORT)


def _run(arguments: list[str]) -> pyte.Screen:
    """Run the command on a terminal in memory and return its screen."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.ByteStream(screen)
    os.environ.update(COLUMNS=str(WIDTH), LINES=str(HEIGHT), TERM="xterm-256color")

    def read(terminal: int) -> bytes:
        data = os.read(terminal, 65536)
        stream.feed(data)
        return data

    pty.spawn([str(Path(sys.executable).parent / "aioappsapi"), *arguments], read)
    return screen


def _draw(screen: pyte.Screen, command: str) -> None:
    lines = [_line(screen.buffer[row]) for row in range(HEIGHT)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text(f"$ {command}", style="bold"))
    for line in lines:
        console.print(line, no_wrap=True, crop=True)
    console.save_svg(str(ASSETS / "run.svg"), title="aioappsapi", unique_id="run")


def _line(row: dict[int, Char]) -> Text:
    text = Text()
    for look, chars in groupby((row[column] for column in range(WIDTH)), key=_style):
        text.append("".join(char.data for char in chars), look)
    text.rstrip()
    return text


def _style(char: Char) -> str:
    color = {"default": "default", "brown": "yellow"}.get(char.fg, char.fg)
    color = f"#{color}" if len(color) == 6 and not color.isalpha() else color
    color = color.replace("bright", "bright_")
    return f"{'bold ' if char.bold else ''}{color}"


def _photograph(report: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(report.as_uri())
        page.screenshot(path=ASSETS / "report.png")
        browser.close()


if __name__ == "__main__":
    main()
