"""The page as a whole."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from amlc.report.findings import read_findings
from amlc.report.markup import VOID
from amlc.report.page import page
from tests.helpers.results import PARAMETERS, write_results

CHROMIUM = Path("/usr/bin/chromium")
# Milliseconds: a machine that is busy draws in its own time.
PATIENCE = 600_000
# In SVG an element may close itself.
SELF_CLOSING = ("path", "use", "rect", "line", "circle", "g")


class Document(HTMLParser):
    """Holds every element to its end tag and collects the elements."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element; no attribute is given twice."""
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element that closes itself."""
        assert tag in SELF_CLOSING
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that it ends what was opened last."""
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def parsed(text: str) -> Document:
    """Parse a document as a whole."""
    document = Document()
    document.feed(text)
    document.close()
    assert not document.open
    return document


def render(root: Path, **results: Any) -> str:
    """Return the page of made-up results."""
    write_results(root, **results)
    models = ["linear", "lightgbm"] if results.get("boosted", True) else ["linear"]
    findings = read_findings(root, models, sampled=True)
    images = root / "data/images"
    return page(findings, images, PARAMETERS, coverage=0.8, level=0.95, most_explained=0.9)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page of results with everything."""
    return render(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def document(html: str) -> Document:
    """Return its elements."""
    return parsed(html)


def test_every_element_ends_where_it_should(document: Document) -> None:
    """The parser holds each end tag to the element that is open."""
    assert Counter(name for name, _ in document.elements)["section"] == 8


def test_identifiers_are_unique_and_links_lead_to_them(document: Document) -> None:
    """On the page and inside its pictures."""
    names = Counter(found["id"] for _, found in document.elements if "id" in found)
    targets = {str(found["href"]) for name, found in document.elements if name == "a"}
    assert max(names.values()) == 1
    assert targets
    assert {target.removeprefix("#") for target in targets} <= set(names)


def test_nothing_is_loaded_from_elsewhere(html: str, document: Document) -> None:
    """Every source is a data URL or a place on the page; the style sheet imports nothing."""
    for _, found in document.elements:
        for key in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert str(found.get(key, "#")).startswith(("#", "data:image/jpeg;base64,"))
    assert set(re.findall(r"url\((.)", html)) == {"#"}
    assert "@import" not in html
    assert not {"script", "iframe", "object", "link", "form"} & {n for n, _ in document.elements}


def test_every_picture_says_what_it_shows(document: Document) -> None:
    """Photographs and drawings alike."""
    images = [found for name, found in document.elements if name == "img"]
    drawings = [found for name, found in document.elements if name == "svg"]
    assert len(images) > 24
    assert len(drawings) == 8
    assert all(found["alt"] for found in images)
    assert all(found["role"] == "img" and found["aria-label"] for found in drawings)


def test_headings_skip_no_level(document: Document) -> None:
    """One first-level heading; each is at most one level below the one before."""
    levels = [int(name[1]) for name, _ in document.elements if re.fullmatch("h[1-6]", name)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_hostile_text_is_shown_and_harmless(html: str, document: Document) -> None:
    """Its markup is text, its controls are gone, its length is bounded."""
    assert '<script>alert("x")</script> </style> & "tea"' in document.text
    assert "<script" not in html
    assert "onerror=alert(1)>" in document.text
    assert not [found for _, found in document.elements if "onerror" in found]
    assert not {"\u202e", "\0"} & set(html)
    assert "w" * 200 not in html


def test_names_from_outside_are_escaped(document: Document) -> None:
    """Columns, reasons and units hold what the catalogue held."""
    for name in (
        "tabular: log <total>",
        'neighbours: the "nearest"',
        "vision: edges",
        "http 404 <b>",
    ):
        assert name in document.text


def test_the_same_results_give_the_same_bytes(html: str, tmp_path: Path) -> None:
    """No date, no path, no random identifier."""
    assert render(tmp_path) == html


def test_the_page_is_small(html: str) -> None:
    """Well below what a mail server takes."""
    assert len(html.encode()) < 5_000_000


def test_numbers_are_those_of_the_metrics(html: str, tmp_path: Path) -> None:
    """The headline, to two decimals."""
    write_results(tmp_path)
    metrics = read_findings(tmp_path, ["linear"], sampled=True).metrics
    assert f"{metrics['smape']:.2f} % <small>SMAPE</small>" in html
    assert f"{metrics['smape_low']:.2f} to {metrics['smape_high']:.2f}" in html


@pytest.mark.parametrize(
    ("results", "absent", "present"),
    [
        ({"pictured": False}, "At even steps", "0 of 140 distinct links gave a picture"),
        ({"boosted": False}, "Learning curves", "One model ran"),
        ({"test_rows": 0}, "Drift between", "Guards against"),
        ({"rows": 10}, "nan", "Guards against"),
    ],
)
def test_what_is_missing_is_left_out(
    tmp_path: Path, results: dict[str, Any], absent: str, present: str
) -> None:
    """The rest stays a whole page."""
    document = parsed(render(tmp_path, **results))
    assert absent not in document.text
    assert present in document.text


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
@pytest.mark.slow
def test_a_browser_shows_it_without_scrolling_sideways(html: str, tmp_path: Path) -> None:
    """At the width of a phone; pictures show, nothing is loaded, nothing complained about."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "index.html"
    path.write_text(html, encoding="utf-8")
    said: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        tab = browser.new_page(viewport={"width": 375, "height": 800})
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: said.append(request.url))
        tab.goto(path.as_uri())
        tab.wait_for_load_state("load")
        width = tab.evaluate("document.documentElement.scrollWidth")
        drawn = tab.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        browser.close()
    requests = [url for url in said if not url.startswith("data:image/jpeg;base64,")]
    assert requests == [path.as_uri()]
    assert (width, drawn) == (375, True)
