"""The page of experiments."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from amlc.experiments.overview import overview
from amlc.experiments.page import write_page
from amlc.experiments.predictions import predictions_path
from amlc.experiments.repository import Repository
from amlc.models.timings import Timing, record
from tests.helpers.revisions import MODELS, add_experiment, empty_cache

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Document(HTMLParser):
    """The elements of a page and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text of a script."""
        if self.elements and self.elements[-1][0] == "script" and data.strip():
            self.scripts.append(data)


def page_of(root: Path) -> Path:
    """Write the page of a repository and return its path."""
    repository = Repository(root)
    return write_page(repository, overview(repository))


def content_of(path: Path) -> dict[str, Any]:
    """Return the data in a page."""
    content: dict[str, Any] = json.loads(Document(path.read_text()).scripts[0])
    return content


def test_every_run_is_a_row_with_its_report(root: Path) -> None:
    """The table and the links need no script."""
    path = page_of(root)
    elements = Document(path.read_text()).elements
    assert sum("data-key" in attributes for _, attributes in elements) == 3
    links = [attributes["href"] for name, attributes in elements if name == "a"]
    assert len(links) == 3
    assert all((path.parent / str(link)).read_text() == "<p>report</p>\n" for link in links)


def test_names_and_values_from_outside_make_no_element(root: Path) -> None:
    """A parameter may hold any text, and so may a product."""
    before = len(
        [name for name, _ in Document(page_of(root).read_text()).elements if name == "img"]
    )
    add_experiment(root, "odd-one", noise=0.6, seed=HOSTILE)
    path = page_of(root)
    document = Document(path.read_text())
    names = [name for name, _ in document.elements]
    assert names.count("script") == 2
    assert names.count("img") == before == 0
    assert any("</script>" in value for run in content_of(path)["runs"] for value in run["changed"])
    assert "alert" not in document.scripts[1]


def test_only_the_script_of_the_page_may_run(root: Path) -> None:
    """Its hash stands in the policy, and nothing is loaded."""
    document = Document(page_of(root).read_text())
    (policy,) = [
        attributes["content"]
        for name, attributes in document.elements
        if name == "meta" and "http-equiv" in attributes
    ]
    digest = base64.b64encode(hashlib.sha256(document.scripts[1].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert re.search(r"script-src '([^']*)'", policy)[1] == f"sha256-{digest}"  # type: ignore[index]  # fails below if there is none
    assert not any("src" in attributes for _, attributes in document.elements)


def test_worst_products_have_the_predictions_of_every_run(root: Path) -> None:
    """In the order of the products."""
    products = content_of(page_of(root))["products"]
    assert len(products["predicted"]) == 3
    lengths = {len(prices) for prices in products["predicted"].values()}
    assert lengths == {len(products["titles"])} == {len(products["prices"])}


def test_without_predictions_the_page_still_lists_the_runs(root: Path) -> None:
    """As after a clone."""
    empty_cache(root)
    content = content_of(page_of(root))
    assert content["products"] is None
    assert len(content["runs"]) == 3


def test_a_second_page_replaces_the_first(root: Path) -> None:
    """Reports of runs that are gone do not stay."""
    old = page_of(root).parent / "reports/old.html"
    old.write_text("old")
    page_of(root)
    assert not old.exists()


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    """Return a page of Chromium."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 390, "height": 800})
        browser.close()


def opened(page: Page, root: Path) -> Page:
    """Open the page of a repository with durations; nothing may fail or be reported."""
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.goto(page_of(root).as_uri())
    page.wait_for_selector("#comparison table")
    assert messages == []
    return page


@pytest.mark.slow
def test_a_browser_sorts_filters_draws_and_compares(root: Path, browser_page: Page) -> None:
    """On a phone, without an error and without scrolling sideways."""
    add_experiment(root, "odd-one", noise=0.6, seed=HOSTILE, threads=9)
    repository = Repository(root)
    for revision in [*repository.experiments(), *repository.branches()]:
        for number, name in enumerate(MODELS):
            seconds = 3.0 + len(revision.name) + number
            timing = Timing(seconds=seconds, fit_seconds=1, predict_seconds=1, peak_bytes=1)
            record(repository.data(revision, predictions_path(name)), timing)
    page = opened(browser_page, root)
    names = page.locator("#runs tbody th")
    assert names.first.inner_text().startswith("fine-yak")
    page.get_by_role("button", name="SMAPE").click()
    assert names.first.inner_text().startswith("poor-gnu")
    page.locator("#filter").fill("odd seed")
    assert page.locator("#runs tbody tr:visible").count() == 1
    assert page.locator("#parallel polyline").count() == 4
    assert page.locator("#scatter circle").count() == 4
    assert page.locator("#comparison table").count() == 4
    page.locator("#second").select_option(index=2)
    assert (
        page.locator("#second").evaluate("each => each.selectedOptions[0].text").startswith("odd")
    )
    assert "</script>" in page.locator("#comparison").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
