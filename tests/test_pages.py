"""The pages in a real browser: they open, sort, filter, print, and work without a mouse.

Needs Chromium and playwright; without them the tests are skipped, unless AIOAPPSAPI_REQUIRE_BROWSER
is set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aioappsapi import App, Outcome, Status
from aioappsapi.bulk.reports.writers import write_comparison, write_plan
from tests.reports import many, outcome, report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"

if os.environ.get("AIOAPPSAPI_REQUIRE_BROWSER"):
    assert CHROMIUM, "AIOAPPSAPI_REQUIRE_BROWSER is set, and there is no chromium"
    import playwright.sync_api as playwright
else:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed", allow_module_level=True)

pytestmark = pytest.mark.timeout(300)
PATIENCE = 120_000  # milliseconds, for a machine that has much else to do
playwright.expect.set_options(timeout=PATIENCE)


MANY = many(600)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE
        )
        yield opened
        opened.close()


class Pages:
    """Opens files in the browser, and keeps what they did that they should not do."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.complaints: list[str] = []

    def open(self, path: Path, **settings: Any) -> Any:
        context = self._browser.new_context(
            **{"viewport": {"width": 1400, "height": 900}} | settings
        )
        context.set_default_timeout(PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._requested)
        page.goto(path.as_uri())
        return page

    def _requested(self, request: Any) -> None:
        if not request.url.startswith("file:") or request.resource_type != "document":
            self.complaints.append(f"requested {request.url}")

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def pages(browser: Any) -> Iterator[Pages]:
    opened = Pages(browser)
    yield opened
    opened.close()
    assert opened.complaints == []


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "report.html"
    MANY.write(path)
    return path


def names(page: Any) -> list[str]:
    """The apps in the rows that are in the document now."""
    return page.locator("table.rows tbody td.app button").all_inner_texts()


def shown(page: Any) -> str:
    return page.locator(".tools output").inner_text()


def head(page: Any, title: str) -> Any:
    return page.locator("table.rows thead button", has_text=title)


def test_a_page_opens_with_the_failures_first(pages: Pages, path: Path) -> None:
    page = pages.open(path)
    assert page.locator("h1").inner_text().endswith("failed.")
    assert shown(page) == "600 apps"
    statuses = page.locator("table.rows tbody td.status").all_inner_texts()
    assert set(statuses) == {"failed"}
    assert names(page)[:2] == [one.name for one in MANY.failed[:2]]


def test_a_column_sorts_in_both_directions_with_numbers_in_names_as_numbers(
    pages: Pages, path: Path
) -> None:
    page = pages.open(path)
    head(page, "App").click()
    assert names(page)[:3] == ["app-0", "app-1", "app-2"]
    assert page.locator("th[aria-sort=ascending]").inner_text().strip() == "App"
    head(page, "App").click()
    assert names(page)[:2] == ["app-599", "app-598"]
    head(page, "Running").click()
    ascending = page.locator("td.c-running").all_inner_texts()
    assert [float(one) for one in ascending] == sorted(map(float, ascending))
    head(page, "Running").click()
    descending = page.locator("td.c-running").all_inner_texts()
    assert [float(one) for one in descending] == sorted(map(float, descending), reverse=True)


def test_a_search_and_filters_narrow_the_table_and_a_button_shows_all(
    pages: Pages, path: Path
) -> None:
    page = pages.open(path)
    search = page.get_by_label("Search the apps")
    search.fill("app-59 org-0")
    assert names(page) == ["app-590", "app-595"]
    assert shown(page) == "2 of 600 apps"
    page.get_by_role("button", name="Show all").click()
    assert shown(page) == "600 apps"
    page.get_by_label("Filter by organization").select_option(label="org-1 (120)")
    page.get_by_label("Filter by wave").select_option(label="2 (200)")
    assert shown(page) == "40 of 600 apps"
    search.fill("no such app")
    assert names(page) == []
    assert page.locator(".cut").inner_text() == "No app fits these filters."


def test_a_cause_shows_its_apps(pages: Pages, path: Path) -> None:
    page = pages.open(path)
    first = page.locator(".failures li").first
    number = int(first.locator("h3 b").inner_text())
    first.get_by_role("button").click()
    assert shown(page) == f"{number} of 600 apps"
    assert page.locator("table.rows").bounding_box()["y"] < 300


def test_only_visible_rows_are_in_the_document_and_all_rows_can_be_reached(
    pages: Pages, path: Path
) -> None:
    page = pages.open(path)
    head(page, "App").click()
    assert 20 < len(names(page)) < 100
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    playwright.expect(page.locator("td.app button", has_text="app-599")).to_be_visible()
    assert len(names(page)) < 100
    last = page.locator("table.rows tbody tr[aria-rowindex='601']")
    assert "app-599" in last.inner_text()
    assert page.locator("table.rows").get_attribute("aria-rowcount") == "601"


def test_the_keyboard_is_enough(pages: Pages, path: Path) -> None:
    page = pages.open(path)
    head(page, "App").focus()
    page.keyboard.press("Enter")
    # A busy machine draws no frame between two keys; the focus must not leave the table then.
    page.evaluate("() => { window.requestAnimationFrame = () => 0; }")
    page.locator("td.app button", has_text="app-0").first.focus()
    for _ in range(120):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "app-120"
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    assert "00000000-0000-4000-8000-000000000120" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.textContent") == "app-120"


def test_details_have_everything_about_an_app(pages: Pages, path: Path) -> None:
    page = pages.open(path)
    failed = MANY.failed[0]
    page.locator("td.app button").first.click()
    text = page.locator("dialog").inner_text()
    for part in (failed.name, failed.key, failed.space, failed.organization, "failed"):
        assert str(part) in text
    assert f"request {failed.request_ids[0]}" in text


def test_charts_show_their_values_on_hover(pages: Pages, path: Path) -> None:
    # Everything is in sight: scrolling, some frames later, would hide the values again.
    page = pages.open(path, viewport={"width": 1400, "height": 5000})
    page.locator("svg[role=img] rect.hover").nth(3).hover()
    playwright.expect(page.locator("#tip")).to_be_visible()
    assert "accepted" in page.locator("#tip").inner_text()


def test_a_dark_screen_gets_a_dark_page(pages: Pages, path: Path) -> None:
    def light(scheme: str) -> int:
        page = pages.open(path, color_scheme=scheme)
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))

    assert light("dark") < 150 < 600 < light("light")


@pytest.mark.parametrize("width", [360, 800, 1280, 1920])
def test_no_screen_has_to_scroll_sideways(pages: Pages, path: Path, width: int) -> None:
    page = pages.open(path, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    table = page.locator("table.rows").bounding_box()
    assert table["x"] + table["width"] <= width
    assert page.locator("table.rows tbody td.status").first.is_visible()


def test_print_has_all_rows_and_no_controls(pages: Pages, path: Path) -> None:
    page = pages.open(path)
    page.emulate_media(media="print")
    playwright.expect(page.locator("td.app")).to_have_count(600)
    assert not page.locator(".tools").is_visible()
    assert not page.locator(".failures button").first.is_visible()
    page.emulate_media(media="screen")
    playwright.expect(page.locator("td.app", has_text="app-599")).to_have_count(0)
    assert len(names(page)) < 100


def test_print_says_how_many_rows_it_leaves_out(pages: Pages, tmp_path: Path) -> None:
    report(*(outcome(str(n), Status.OK) for n in range(2_500))).write(tmp_path / "long.html")
    page = pages.open(tmp_path / "long.html")
    page.emulate_media(media="print")
    playwright.expect(page.locator("td.app")).to_have_count(2000)
    assert page.locator(".cut").inner_text().startswith("The first 2,000 of 2,500 are printed.")


def test_names_are_text_whatever_they_contain(pages: Pages, tmp_path: Path) -> None:
    hostile = outcome(HOSTILE, Status.FAILED, name=HOSTILE, space=HOSTILE, warnings=(HOSTILE,))
    other = outcome("b", Status.OK, space="dev")
    path = tmp_path / "hostile.html"
    report(hostile, other, target=HOSTILE, stopped=HOSTILE).write(path)
    page = pages.open(path)
    page.locator("td.app button").first.click()
    assert HOSTILE in page.locator("dialog").inner_text()
    assert page.evaluate("window.broken") is None


def test_without_javascript_only_the_table_is_missing(pages: Pages, path: Path) -> None:
    page = pages.open(path, java_script_enabled=False)
    assert page.locator(".failures li").first.is_visible()
    assert page.locator("svg[role=img]").first.is_visible()
    assert page.locator("noscript").inner_text().startswith("The table needs JavaScript")


@pytest.mark.parametrize("apps", [[], [Outcome(key="a", status=Status.OK)]], ids=["none", "one"])
def test_the_smallest_reports_are_pages_too(
    pages: Pages, tmp_path: Path, apps: list[Outcome[App]]
) -> None:
    report(*apps).write(tmp_path / "small.html")
    page = pages.open(tmp_path / "small.html")
    assert shown(page) == ("1 app" if apps else "0 apps")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["report", "comparison", "plan"])
def test_axe_finds_no_violation(
    pages: Pages, path: Path, tmp_path: Path, kind: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    if kind == "comparison":
        path = tmp_path / "compare.html"
        write_comparison(MANY.compare(many(500)), path)
    elif kind == "plan":
        path = tmp_path / "plan.html"
        predicted = report(outcome("a", Status.OK), *MANY.failed[:20], predicted=True)
        write_plan(predicted, ["requests: 3"], path)
    page = pages.open(path, color_scheme=scheme)
    page.locator("footer summary, h1").last.click()
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []


def test_20_000_apps_need_few_elements_before_and_after_sorting(
    pages: Pages, tmp_path: Path
) -> None:
    """So opening and sorting stay fast; benchmarks/report_page.py measures both."""
    path = tmp_path / "large.html"
    many(20_000).write(path)
    page = pages.open(path)
    assert shown(page) == "20,000 apps"
    for title in ("App", "Running"):
        head(page, title).click()
        assert page.evaluate("document.querySelectorAll('*').length") < 2_500
