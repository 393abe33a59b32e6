"""The report in a real browser: it asks for nothing else, and all of it opens."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from videomae.report import pages
from videomae.verify import summary

from tests.conftest import Workflow

pytestmark = pytest.mark.full

SCREENS = {"laptop": (1280, 800), "phone": (375, 812)}
BESIDE_LIST = 956  # what the list of results leaves of a laptop
# What is cut off or needs scrolling: all that ends right of the window or of what holds it.
CROPPED = """
() => [...document.querySelectorAll("td, th, table, p, dl, dd")]
    .filter(it => it.getClientRects().length)
    .filter(it => it.getBoundingClientRect().right > window.innerWidth + 0.5
        || it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).display !== "inline")
    .map(it => it.tagName + " " + it.innerText.slice(0, 60))
"""
# Snakemake's own page says this of a library within it.
KNOWN = "cdn.tailwindcss.com should not be used in production"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


class Watched:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        page.on("console", lambda message: self._said(message.type, message.text))

    def _asked(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(f"asked for {url[:200]}")

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and KNOWN not in text:
            self.wrong.append(f"{kind}: {text}")


@pytest.fixture(scope="module")
def report(_finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the report of three tiny variants, one of which has failed."""
    folder = tmp_path_factory.mktemp("reported") / "it"
    finished = Workflow(shutil.copytree(_finished, folder, symlinks=True))
    (finished.results / "verification/own-0.json").unlink()
    (finished.results / "logs/verify/own-0.log").write_text("error: it is wrong\n")
    for options in (("pages",), ("--report", "report.html")):
        outcome = finished.run(*options)
        assert outcome.code == 0, outcome.output
    return finished.folder / "report.html"


@pytest.mark.parametrize("screen", SCREENS)
def test_every_result_opens_without_an_error_or_a_request(
    report: Path, screen: str, browser: Browser
) -> None:
    width, height = SCREENS[screen]
    watched = Watched(browser.new_page(viewport={"width": width, "height": height}))
    page = watched.page
    opened = []
    for category, number in (("All variants", 1), ("Plots", 3), ("Variants", 3)):
        page.goto(report.as_uri())
        page.get_by_text(category, exact=True).first.click()
        eyes = page.locator("tbody tr").filter(has=page.locator("svg"))
        eyes.first.wait_for()
        assert eyes.count() == number
        for row in range(number):
            eyes.nth(row).locator("a").first.click()
            opened.append(_shown(page))
    assert watched.wrong == []
    assert sum("All variants" in text for text in opened) == 1
    assert sum("it is wrong" in text for text in opened) == 2
    assert sum("What to do:" in text for text in opened) == 2
    assert opened.count("picture") == 3


def _shown(page: Page) -> str:
    """Give the text of a result that is shown, or ``picture``, once it is there."""
    shown = page.locator("iframe, img[src^=data]").last
    shown.wait_for()
    if shown.evaluate("it => it.tagName") == "IMG":
        assert shown.evaluate("it => it.decode().then(() => it.naturalWidth)") > 100
        return "picture"
    body = page.frame_locator("iframe").last.locator("body")
    if body.evaluate("() => window.innerWidth") >= 320:  # on a phone the list covers it at first
        assert body.evaluate(CROPPED) == []
    return str(body.inner_text())


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_fit_the_screen(report: Path, screen: str, browser: Browser) -> None:
    width, height = SCREENS[screen]
    watched = Watched(browser.new_page(viewport={"width": width, "height": height}))
    paths = sorted((report.parent / "results/report").rglob("*.html"))
    assert len(paths) == 4
    for path in paths:
        watched.page.goto(path.as_uri())
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert watched.page.evaluate(CROPPED) == [], path
        for picture in watched.page.locator("img").all():
            assert picture.evaluate("it => it.decode().then(() => it.naturalWidth)") > 100
    assert watched.wrong == []


@pytest.mark.parametrize("width", [1280, BESIDE_LIST, 375])
def test_table_has_no_cropped_column_when_every_cell_is_full(
    report: Path, width: int, browser: Browser, tmp_path: Path
) -> None:
    facts = pages.Facts("own-1", report.parent / "results", family="VideoMAE V2")
    facts.variant = "videomae-base-short-finetuned-kinetics"
    facts.status = (
        f"{summary.BY_YOURS}, not pushed (dry run) (recorded outputs differ, synthetic weights)"
    )
    facts.parameters, facts.bytes = 1_632_119_440, 12_528_600_000
    facts.recorded, facts.recorded_tolerance = 1.2e-6, 1.1e-4
    facts.loaded = dict.fromkeys((f"{major}.57.{n}" for major in (4, 5) for n in range(5)), 0.0)
    facts.took["verify"] = pages.Took(12345.6, 23456.7)
    failed = pages.Facts("own-0", report.parent / "results")
    assert failed.failed
    file = tmp_path / "overview.html"
    file.write_text(pages.overview([facts, failed]))
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CROPPED) == []
    shown = page.locator("body").inner_text()
    for words in ("What to do:", "12,528.6 MB", "5.57.4", "23,457 MB", facts.sha256[:8]):
        assert words in shown
    page.add_style_tag(content="table { min-width: 1300px; }")
    assert any("TABLE" in found for found in page.evaluate(CROPPED))


def test_error_and_request_of_a_page_are_seen(tmp_path: Path, browser: Browser) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/picture.png"><script>nothing()</script>')
    watched = Watched(browser.new_page())
    watched.page.goto(page.as_uri())
    assert any(re.match("asked for http://127.0.0.1:9", text) for text in watched.wrong)
    assert any("nothing is not defined" in text for text in watched.wrong)
