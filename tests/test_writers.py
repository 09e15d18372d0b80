"""Reports as files for people and their tools: well-formed, complete, harmless."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from aioappsapi import App, AppsApiError, InvalidInputError, Report, Status
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.writers.as_csv import as_csv
from aioappsapi.bulk.reports.writers.as_html import as_html
from aioappsapi.bulk.reports.writers.as_junit import as_junit
from aioappsapi.bulk.reports.writers.as_markdown import as_markdown
from tests.reports import BAD, BEGAN, ERRORS, MIXED, OK, REST, any_outcome, outcome, report

SUFFIXES = [".json", ".jsonl", ".csv", ".xml", ".html", ".md"]

hostile = (
    st.text(max_size=20)
    | st.text(
        "=+-@|`*_<>&\\'\"\n\r\t\x00\x1b\x85\u2028\u202e\udcff\uffff[]()!#~$:/ ;,", max_size=20
    )
    | st.sampled_from(["</script><script>x()</script>", "]]>", "<!--", "{{ 7 * 7 }}", "&amp;#124;"])
)
nasty = any_outcome(hostile, st.sampled_from(ERRORS) | st.builds(AppsApiError, hostile))
reports = st.builds(
    lambda some, target, stopped: report(*some, target=target, stopped=stopped),
    st.lists(nasty, max_size=3),
    hostile,
    st.none() | hostile,
)


def shown(one: Report[App]) -> list[str]:
    return [printable(outcome.key) for outcome in one]


# -- what holds for all


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_report_is_written_as_its_suffix_says_and_leaves_nothing_else(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"report{suffix}"
    MIXED.write(path)
    text = path.read_text(encoding="utf-8")
    assert all(key in text for key in ("wéb", "worker", "Assign a droplet"))
    assert "secret" not in text
    assert list(tmp_path.iterdir()) == [path]


@given(reports, st.sampled_from(SUFFIXES))
def test_any_report_can_be_written(
    tmp_path_factory: pytest.TempPathFactory, one: Report[App], suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"nasty{suffix}"
    one.write(path)
    assert path.read_bytes().decode()
    if suffix in {".json", ".jsonl"}:
        assert len(Report.load(path)) == len(one)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / f"report{suffix}"
    path.write_text("before")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        MIXED.write(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_link_points_to_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "latest.json"
    link.symlink_to("run.json")
    MIXED.write(link)
    assert link.is_symlink()
    assert len(Report.load(tmp_path / "run.json")) == 3


@pytest.mark.parametrize("suffix", SUFFIXES[2:])
def test_what_is_for_people_is_not_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"report{suffix}"
    MIXED.write(path)
    with pytest.raises(InvalidInputError, match=r"only \.json and \.jsonl"):
        Report.load(path)


def test_without_jinja2_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InvalidInputError, match=r"aioappsapi\[cli\]"):
        MIXED.write(tmp_path / "report.html")
    MIXED.write(tmp_path / "report.md")


# -- CSV


def table(one: Report[App]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(one), newline=""), strict=True))


def test_csv_has_a_line_per_app() -> None:
    ok, bad, rest = table(MIXED)
    assert (ok["key"], ok["name"], ok["status"], ok["time_to_running_s"]) == (
        "a",
        "wéb",
        "ok",
        "4.5",
    )
    assert (ok["request_ids"], ok["warnings"], ok["reason"]) == ("r-1", "old stack", "")
    assert (bad["error_type"], bad["error_status"], bad["error_code"]) == (
        "UnprocessableError",
        "422",
        "10008",
    )
    assert (rest["attempts"], rest["started_at"]) == ("0", "")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1"])
def test_csv_holds_no_formula(name: str) -> None:
    (row,) = table(report(outcome("a", Status.OK, name=name)))
    assert row["name"] == f"'{name}"


@given(reports)
def test_any_csv_can_be_read_and_computes_nothing(one: Report[App]) -> None:
    rows = table(one)
    assert [row["key"].removeprefix("'") for row in rows] == [
        key.removeprefix("'") for key in shown(one)
    ]
    for row in rows:
        assert None not in row
        assert not any(cell.lstrip().startswith(tuple("=+-@")) for cell in row.values())


# -- JUnit


def test_junit_tells_what_failed_from_what_nobody_knows() -> None:
    one = report(*(outcome(status, status) for status in Status), stopped="enough")
    root = ET.fromstring(as_junit(one))
    (suite,) = root
    for element in (root, suite):
        found = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert found == {"tests": "7", "failures": "1", "errors": "2", "skipped": "2"}
    assert {case.get("name"): [one.tag for one in case] for case in suite.iter("testcase")} == {
        "ok": [],
        "already": [],
        "unverified": ["error"],
        "failed": ["failure"],
        "timed_out": ["error"],
        "cancelled": ["skipped"],
        "not_attempted": ["skipped"],
    }
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties == {"target": "https://api.test", "stopped": "enough"}


def test_junit_says_why() -> None:
    root = ET.fromstring(as_junit(MIXED))
    ok, bad, _ = root.iter("testcase")
    assert (ok.get("classname"), ok.get("name"), ok.get("time")) == ("start", "wéb (a)", "4.600")
    assert ok.findtext("system-out") == "request r-1\nwarning: old stack"
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("type") == "UnprocessableError"
    assert failure.get("message", "").startswith("422 CF-UnprocessableEntity: Assign a droplet")
    assert ET.fromstring(as_junit(report(OK, predicted=True)))[0].get("name") == "start (predicted)"


@given(reports)
def test_any_junit_is_xml_and_holds_every_key(one: Report[App]) -> None:
    text = as_junit(one)
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", text)
    cases = list(ET.fromstring(text.encode()).iter("testcase"))
    for case, key in zip(cases, shown(one), strict=True):
        assert key in (case.get("name") or "")


# -- HTML


class Page(HTMLParser):
    """The tags of a page, and the texts of its elements `code`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.keys: list[str] = []
        self._in_key = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.links += [name for name, _ in attrs if name in {"src", "href", "onerror", "onclick"}]
        if tag == "code":
            self._in_key = True
            self.keys.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_key = self._in_key and tag != "code"

    def handle_data(self, data: str) -> None:
        if self._in_key:
            self.keys[-1] += data


def test_page_needs_nothing_else_and_runs_no_script_but_its_own() -> None:
    page = Page(as_html(MIXED))
    assert page.links == []
    assert (page.tags["script"], page.tags["link"], page.tags["img"]) == (1, 0, 0)
    assert "default-src 'none'" in as_html(MIXED)


def test_page_has_charts_where_there_is_something_to_draw() -> None:
    assert "Apps by time to running" in as_html(MIXED)
    accepted = report(outcome("a", Status.OK, started_at=BEGAN, duration=0.5))
    assert "Apps by time to acceptance" in as_html(accepted)
    assert "<figure>" not in as_html(report(REST))
    assert "<figure>" not in as_html(report())


def test_page_says_what_is_special() -> None:
    assert "A prediction" in as_html(report(OK, predicted=True))
    assert "Ended early: enough" in as_html(report(OK, stopped="enough"))
    assert "not read to its end" in as_html(report(OK, complete=False))
    assert "notice" not in as_html(report(OK)).partition("</style>")[2]
    page = as_html(report(OK, requests=Requests(3, 1, Counter({"200": 2, "503": 1}))))
    assert re.search(r"3 requests, 1 of them repeats: 2&nbsp;.&nbsp;200, 1&nbsp;.&nbsp;503\.", page)


@given(reports)
def test_any_page_holds_every_key_as_text(one: Report[App]) -> None:
    page = Page(as_html(one))
    assert page.keys == shown(one)
    assert page.tags["script"] == 1
    assert page.links == []


# -- Markdown

markdown = MarkdownIt("commonmark").enable("table")


def cells(text: str) -> Iterator[list[list[Token]]]:
    """The cells of each row of the last table, each as its inline tokens."""
    tokens = markdown.parse(text.partition("\n## Apps\n")[2])
    row: list[list[Token]] = []
    for token in tokens:
        if token.type == "tr_open":
            row = []
        elif token.type == "inline":
            row.append(token.children or [])
        elif token.type == "tr_close":
            yield row


def test_markdown_has_counts_times_reasons_and_apps() -> None:
    text = as_markdown(report(OK, BAD, stopped="enough", complete=False))
    assert "| failed | 1 |" in text
    assert "| running | 4.50 | 4.50 | 4.50 | 4.50 |" in text
    assert "| 1 | failed | 422 CF-UnprocessableEntity: Assign a droplet" in text
    assert "| a | wéb | ok | 1 |  |" in text
    assert "**Ended early:** enough" in text
    assert "not read to its end" in text
    assert "## Not as asked" not in as_markdown(report(OK))
    assert as_markdown(report(OK, predicted=True)).startswith("# start (predicted)\n")
    assert "## Timings" not in as_markdown(report())


@given(reports)
def test_any_markdown_holds_every_key_as_text(one: Report[App]) -> None:
    _, *rows = list(cells(as_markdown(one)))
    assert len(rows) == len(one)
    for row, key in zip(rows, shown(one), strict=True):
        assert len(row) == 5
        assert {token.type for cell in row for token in cell} <= {"text", "text_special"}
        assert "".join(token.content for token in row[0]) == key.strip()
