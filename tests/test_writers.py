"""Reports as files for people and their tools: well-formed, complete, harmless."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from aioappsapi import App, AppsApiError, ConnectError, InvalidInputError, Outcome, Report, Status
from aioappsapi._version import __version__
from aioappsapi.bulk.reports.requests import Requests
from aioappsapi.bulk.reports.text import printable
from aioappsapi.bulk.reports.verdict import verdict
from aioappsapi.bulk.reports.writers import write_comparison, write_plan
from aioappsapi.bulk.reports.writers.as_csv import as_csv
from aioappsapi.bulk.reports.writers.as_html import as_html
from aioappsapi.bulk.reports.writers.as_junit import as_junit
from aioappsapi.bulk.reports.writers.as_markdown import as_markdown
from tests.reports import BAD, BEGAN, ERRORS, MIXED, OK, REFUSED, REST, any_outcome, outcome, report

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


def text_of(chunks: Iterable[str]) -> str:
    return "".join(chunks)


def markdown_of(one: Report[App]) -> str:
    return text_of(as_markdown(one))


def page_of(one: Report[App]) -> str:
    return text_of(as_html(one))


def shown(one: Report[App]) -> list[str]:
    return [printable(outcome.key) for outcome in one]


# -- all formats


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_chooses_the_format_and_no_other_file_is_left(
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
def test_an_interrupted_write_keeps_the_old_file(
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


def test_a_report_is_written_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "latest.json"
    link.symlink_to("run.json")
    MIXED.write(link)
    assert link.is_symlink()
    assert len(Report.load(tmp_path / "run.json")) == 3


@pytest.mark.parametrize("suffix", SUFFIXES[2:])
def test_formats_for_people_cannot_be_loaded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"report{suffix}"
    MIXED.write(path)
    with pytest.raises(InvalidInputError, match=r"only \.json and \.jsonl"):
        Report.load(path)


def test_without_jinja2_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InvalidInputError, match=r"aioappsapi\[cli\]"):
        MIXED.write(tmp_path / "report.html")
    MIXED.write(tmp_path / "report.md")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_report_never_replaces_a_journal_or_a_snapshot(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run{suffix}"
    journal = '{"schema":2,"action":"start","target":"https://api.test"}\n'
    path.write_text(journal)
    with pytest.raises(InvalidInputError, match="is a journal"):
        MIXED.write(path)
    assert path.read_text() == journal


# -- rows


def test_rows_are_flat_and_all_have_the_same_columns() -> None:
    first, second, third = MIXED.to_rows()
    assert first.keys() == second.keys() == third.keys()
    assert (first["key"], first["name"], first["status"], first["target"]) == (
        "a",
        "wéb",
        "ok",
        "https://api.test",
    )
    assert first["started_at"] == BEGAN
    assert (second["error_type"], second["error_status"]) == ("UnprocessableError", 422)
    assert third["started_at"] is None
    assert not any(isinstance(cell, list | tuple | dict) for cell in first.values())


# -- CSV


def table(one: Report[App]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(as_csv(one)), newline=""), strict=True))


def test_csv_has_one_line_per_app() -> None:
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
def test_csv_contains_no_formula(name: str) -> None:
    (row,) = table(report(outcome("a", Status.OK, name=name)))
    assert row["name"] == f"'{name}"


@given(reports)
def test_any_csv_can_be_read_and_contains_no_formula(one: Report[App]) -> None:
    rows = table(one)
    assert [row["key"].removeprefix("'") for row in rows] == [
        key.removeprefix("'") for key in shown(one)
    ]
    for row in rows:
        assert None not in row
        assert not any(cell.lstrip().startswith(tuple("=+-@")) for cell in row.values())


# -- JUnit


def test_junit_separates_failures_from_errors_and_skipped_apps() -> None:
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


def test_a_target_that_could_not_be_used_is_an_error_for_ci() -> None:
    down = ConnectError("no connection")
    one = report(OK, target="https://eu.test", target_errors={"https://us.test": down})
    suite = ET.fromstring(as_junit(one))[0]
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("2", "1", "0")
    [error] = suite.findall("testcase[@name='https://us.test']/error")
    assert (error.get("type"), error.get("message")) == ("ConnectError", "no connection")


def test_junit_has_the_reason() -> None:
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
def test_any_junit_is_xml_and_contains_every_key(one: Report[App]) -> None:
    text = as_junit(one)
    assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", text)
    cases = list(ET.fromstring(text.encode()).iter("testcase"))
    for case, key in zip(cases, shown(one), strict=True):
        assert key in (case.get("name") or "")


# -- HTML


class Page(HTMLParser):
    """The tags of a page, its attributes that could load or run something, and its table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.json = ""
        self._in_json = False
        self.feed(text)
        self.close()
        self.table = json.loads(self.json)

    @property
    def keys(self) -> list[str]:
        return [row[0][1] for row in self.table["rows"]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.links += [name for name, _ in attrs if name in {"src", "href", "onerror", "onclick"}]
        self._in_json = ("type", "application/json") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._in_json = False

    def handle_data(self, data: str) -> None:
        if self._in_json:
            self.json += data


def test_a_page_needs_no_other_file_and_runs_only_its_own_script() -> None:
    page = Page(page_of(MIXED))
    assert page.links == []
    assert (page.tags["script"], page.tags["link"], page.tags["img"]) == (2, 0, 0)
    assert "default-src 'none'" in page_of(MIXED)


def test_a_page_has_charts_only_if_there_is_data() -> None:
    assert "Time until running" in page_of(MIXED)
    accepted = report(outcome("a", Status.OK, started_at=BEGAN, duration=0.5))
    assert "Time until accepted" in page_of(accepted)
    assert "<figure" not in page_of(report(REST))
    assert "<figure" not in page_of(report())


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_a_stop_speaks_of_stopped_apps_in_reports_for_people(tmp_path: Path, suffix: str) -> None:
    one = outcome("a", Status.OK, started_at=BEGAN, duration=3.0, time_to_running=2.0)
    path = tmp_path / f"stop{suffix}"
    report(one, action="stop").write(path)
    text = path.read_text().partition("<main>")[2] if suffix == ".html" else path.read_text()
    text = text.partition("<script>")[0]
    shown = re.sub(r"class=\"[^\"]*\"|\"(id|kind)\":\"[^\"]*\"", "", text)
    assert "running" not in shown.lower()
    assert "stopped" in shown


def test_reports_for_people_name_the_targets_that_could_not_be_used() -> None:
    gone = ConnectError("no connection", method="GET", url="https://us.test")
    one = report(OK, target=None, complete=False, target_errors={"https://us.test": gone})
    said = "https://us.test could not be used: no connection"
    assert "1 target could not be used." in verdict(one)
    assert "no connection" not in verdict(one), "a heading is short"
    for text in (page_of(one), one._repr_html_()):
        assert said in text
        assert "not read to its end" not in text
    assert "us.test could not be used: no connection" in "".join(as_markdown(one))


def test_a_page_begins_with_the_verdict_then_causes_then_charts_then_the_table() -> None:
    page = page_of(MIXED)
    places = [
        page.index(text)
        for text in ("<h1>1 of 3 apps", "The app has no droplet", "<figure", 'id="rows"')
    ]
    assert places == sorted(places)


def test_a_page_shows_causes_with_examples_and_advice() -> None:
    bad = report(
        *(outcome(str(n), Status.FAILED, name=f"web-{n}", error=REFUSED) for n in range(9))
    )
    page = page_of(bad)
    assert "<b>9</b> The app has no droplet" in page
    assert "Assign a droplet before starting this app." in page
    assert "<b>What to do:</b> Push or stage the app" in page
    assert "web-0, web-1, web-2, web-3, web-4 and 4 more" in page


def test_a_page_shows_special_conditions() -> None:
    assert "This is a prediction" in page_of(report(OK, predicted=True))
    assert "The run ended early: enough" in page_of(report(OK, stopped="enough"))
    assert "not read to its end" in page_of(report(OK, complete=False))
    usual = page_of(report(OK)).partition("</style>")[2]
    assert "This is a prediction" not in usual
    assert "ended early" not in usual


def test_a_page_ends_with_the_options_and_the_version_of_the_run() -> None:
    requests = Requests(3, 1, Counter({"200": 2, "503": 1}))
    page = page_of(report(OK, requests=requests, options={"wait": "all", "deadline": 900.0}))
    footer = page[page.index("<footer>") :]
    assert "3 requests, 1 of them retries: 2 × 200, 1 × 503" in footer  # noqa: RUF001
    assert "<dt>wait</dt><dd>all</dd>" in footer
    assert "<dt>deadline</dt><dd>900.0</dd>" in footer
    assert f"<dt>aioappsapi</dt><dd>{__version__}</dd>" in footer


def test_the_table_has_columns_only_for_what_varies_or_is_known() -> None:
    def columns(*some: Outcome[App], **fields: Any) -> list[str]:
        return [one["id"] for one in Page(page_of(report(*some, **fields))).table["columns"]]

    assert columns(outcome("a", Status.FAILED)) == ["app", "status", "reason", "notes"]
    here = outcome("a", Status.OK, space="dev", organization="acme", target="eu", wave=1)
    assert columns(here) == ["app", "status", "reason", "wave", "notes"]
    there = outcome("b", Status.OK, space="prod", organization="umbrella", target="us", wave=2)
    assert columns(here, there)[3:7] == ["organization", "space", "target", "wave"]
    assert set(columns(OK)) >= {"attempts", "asked", "accepted", "first", "running", "over"}


@given(reports)
def test_any_page_contains_every_key_as_text(one: Report[App]) -> None:
    page = Page(page_of(one))
    assert page.keys == shown(one)
    assert page.tags["script"] == 2
    assert page.links == []


def test_a_comparison_is_a_page_or_json(tmp_path: Path) -> None:
    found = MIXED.compare(report(outcome("a", Status.FAILED, name="<script>")))
    write_comparison(found, tmp_path / "compare.html")
    page = Page((tmp_path / "compare.html").read_text(encoding="utf-8"))
    assert sorted(page.keys) == ["a", "b", "c"]
    assert page.tags["script"] == 2
    write_comparison(found, tmp_path / "compare.json")
    assert json.loads((tmp_path / "compare.json").read_text()) == found.to_dict()
    with pytest.raises(InvalidInputError, match=r"as \.html or \.json"):
        write_comparison(found, tmp_path / "compare.md")


def test_a_plan_is_a_page_with_requests_and_time(tmp_path: Path) -> None:
    predicted = report(OK, BAD, predicted=True)
    write_plan(predicted, ["requests: 3 <to> read"], tmp_path / "plan.html")
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert "<li>requests: 3 &lt;to&gt; read</li>" in page
    assert "Would be refused" in page
    write_plan(predicted, [], tmp_path / "plan.json")
    assert Report.load(tmp_path / "plan.json").predicted


# -- notebooks


def test_a_notebook_shows_verdict_counts_and_causes() -> None:
    fragment = MIXED._repr_html_()
    assert "<strong>1 of 3 apps is in the requested state." in fragment
    assert "<th>ok</th><th>failed</th><th>not attempted</th>" in fragment
    assert "<td>1 failed</td><td>422 CF-UnprocessableEntity: Assign a droplet" in fragment
    assert "Push or stage the app" in fragment


@given(reports)
def test_any_notebook_fragment_shows_names_as_text(one: Report[App]) -> None:
    parser = HTMLParser()
    tags: Counter[str] = Counter()
    parser.handle_starttag = lambda tag, attrs: tags.update([tag, *(name for name, _ in attrs)])  # type: ignore[method-assign]
    parser.feed(one._repr_html_())
    assert tags.keys() <= {"div", "p", "strong", "br", "table", "thead", "tbody", "tr", "th", "td"}


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
    text = markdown_of(report(OK, BAD, stopped="enough", complete=False))
    assert "| failed | 1 |" in text
    assert "| running | 4.50 | 4.50 | 4.50 | 4.50 |" in text
    assert "| 1 | failed | 422 CF-UnprocessableEntity: Assign a droplet" in text
    assert "| a | wéb | ok | 1 |  |" in text
    assert "**Ended early:** enough" in text
    assert "not read to its end" in text
    assert "## Not in the requested state" not in markdown_of(report(OK))
    assert markdown_of(report(OK, predicted=True)).startswith("# start (predicted)\n")
    assert "## Timings" not in markdown_of(report())


@given(reports)
def test_any_markdown_contains_every_key_as_text(one: Report[App]) -> None:
    _, *rows = list(cells(markdown_of(one)))
    assert len(rows) == len(one)
    for row, key in zip(rows, shown(one), strict=True):
        assert len(row) == 5
        assert {token.type for cell in row for token in cell} <= {"text", "text_special"}
        assert "".join(token.content for token in row[0]) == key.strip()
