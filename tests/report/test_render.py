"""The rendered page."""

import html as stdlib_html
import json
import re
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from amlc.report import page as page_module
from amlc.report.examples import Card, Places, Tile
from amlc.report.findings import Findings, read_findings
from amlc.report.metrics_files import Drift
from amlc.report.page import Page, make_page
from amlc.report.render import TEMPLATE, render
from tests.helpers.results import PARAMETERS, write_results

CHROMIUM = Path("/usr/bin/chromium")
# Milliseconds: a machine that is busy draws in its own time.
PATIENCE = 600_000
# Elements without an end tag.
VOID = ("img", "meta")
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
    """Parse a whole document."""
    document = Document()
    document.feed(text)
    document.close()
    assert not document.open
    return document


def page_of(root: Path, **results: Any) -> Page:
    """Return the page of a small repository's results."""
    write_results(root, **results)
    models = ["linear", "lightgbm"] if results.get("boosted", True) else ["linear"]
    findings = read_findings(root, models, synthetic=True)
    images = root / "data/images"
    return make_page(
        findings, images, PARAMETERS, coverage=0.8, level=0.95, max_explained_variance=0.9
    )


def rendered(root: Path, **results: Any) -> str:
    """Return this page as HTML."""
    return render(page_of(root, **results))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return the page of results with everything."""
    return page_of(tmp_path_factory.mktemp("results"), gap=0.4)


@pytest.fixture(scope="module")
def html(page: Page) -> str:
    """Return this page as HTML."""
    return render(page)


@pytest.fixture(scope="module")
def document(html: str) -> Document:
    """Return its elements."""
    return parsed(html)


def test_every_element_ends_where_it_should(document: Document) -> None:
    """The parser holds each end tag to the element that is open."""
    assert Counter(name for name, _ in document.elements)["section"] == 8


def test_identifiers_are_unique_and_links_lead_to_them(document: Document) -> None:
    """Drawings share no identifier with one another or with the page."""
    names = Counter(attrs["id"] for _, attrs in document.elements if "id" in attrs)
    targets = {str(attrs["href"]) for name, attrs in document.elements if name == "a"}
    assert max(names.values()) == 1
    assert targets
    assert {target.removeprefix("#") for target in targets} <= set(names)


def test_nothing_is_loaded_from_elsewhere(html: str, document: Document) -> None:
    """Every source is a data URL or a place on the page; the style sheet imports nothing."""
    for _, attrs in document.elements:
        for key in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert str(attrs.get(key, "#")).startswith(("#", "data:image/jpeg;base64,"))
    assert set(re.findall(r"url\((.)", html)) == {"#"}
    assert "@import" not in html
    assert not {"script", "iframe", "object", "link", "form"} & {n for n, _ in document.elements}


def test_every_picture_has_a_description(document: Document) -> None:
    """Photographs and drawings both have a description."""
    images = [attrs for name, attrs in document.elements if name == "img"]
    drawings = [attrs for name, attrs in document.elements if name == "svg"]
    assert len(images) > 24
    assert len(drawings) == 8
    assert all(attrs["alt"] for attrs in images)
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)


def test_headings_skip_no_level(document: Document) -> None:
    """One first-level heading; each is at most one level below the one before."""
    levels = [int(name[1]) for name, _ in document.elements if re.fullmatch("h[1-6]", name)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_hostile_text_is_shown_and_harmless(html: str, document: Document) -> None:
    """Its markup is text, it has no control characters, and its length is bounded."""
    assert '<script>alert("x")</script> </style> & "tea"' in document.text
    assert "<script" not in html
    assert "onerror=alert(1)>" in document.text
    assert not [attrs for _, attrs in document.elements if "onerror" in attrs]
    assert not {"\u202e", "\0"} & set(html)
    assert "w" * 200 not in html


def test_names_from_outside_are_escaped(document: Document) -> None:
    """Columns, reasons and units hold words of the catalogue."""
    for name in (
        "tabular: log <total>",
        'neighbours: the "nearest"',
        "vision: edges",
        "http 404 <b>",
    ):
        assert name in document.text


def test_the_same_results_give_the_same_bytes(html: str, tmp_path: Path) -> None:
    """There is no date, no path and no random identifier."""
    assert rendered(tmp_path, gap=0.4) == html


def test_the_page_is_small(html: str) -> None:
    """It stays well below what a mail server accepts."""
    assert len(html.encode()) < 5_000_000


def test_numbers_are_those_of_the_metrics(html: str, tmp_path: Path) -> None:
    """The headline has them with two decimals."""
    write_results(tmp_path)
    scores = json.loads((tmp_path / "metrics/metrics.json").read_text())
    assert f"{scores['smape']:.2f} % <small>SMAPE</small>" in html
    assert f"{scores['smape_low']:.2f} to {scores['smape_high']:.2f}" in html


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
    """What remains is a whole page."""
    document = parsed(rendered(tmp_path, **results))
    assert absent not in document.text
    assert present in document.text


# Neither a parser nor a browser keeps a carriage return or a null character as it is.
TEXTS = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def bare(page: Page) -> Page:
    """Return the page with empty drawings and pictures, which is parsed sooner."""
    bare_page: Page = _bare(page)
    return bare_page


def _bare(node: Any) -> Any:
    if isinstance(node, Markup):
        return Markup("<svg></svg>")
    if isinstance(node, tuple):
        return tuple(_bare(child) for child in node)
    if isinstance(node, str) and node.startswith("data:"):
        return "data:"
    if not is_dataclass(node) or isinstance(node, type):
        return node
    return type(node)(**{name: _bare(child) for name, child in vars(node).items()})


def with_title(page: Page, title: str) -> Page:
    """Return a page with one product on its contact sheet."""
    return replace(page, tiles=(Tile("data:", title, 1.0),))


@settings(deadline=None)
@given(text=TEXTS)
def test_a_text_comes_out_as_it_went_in(bare: Page, text: str) -> None:
    """Whatever a text holds, it stays the text of its element and adds no element."""
    before = parsed(render(replace(bare, parameters="")))
    after = parsed(render(replace(bare, parameters=text)))
    assert len(after.text) == len(before.text) + len(text)
    assert text in after.text
    assert after.elements == before.elements


@settings(deadline=None)
@given(text=TEXTS.filter(bool))
def test_an_attribute_comes_out_as_it_went_in(bare: Page, text: str) -> None:
    """No value ends its attribute."""
    before = parsed(render(with_title(bare, "a title")))
    after = parsed(render(with_title(bare, text)))
    changed = [
        pair for pair in zip(before.elements, after.elements, strict=True) if pair[0] != pair[1]
    ]
    image = {"src": "data:", "decoding": "async"}
    assert changed == [(("img", {**image, "alt": "a title"}), ("img", {**image, "alt": text}))]


def test_escaping_is_that_of_the_standard_library(bare: Page) -> None:
    """A text with all special characters is escaped, and once."""
    text = "<a href=\"x\" title='y'>&amp;</a>"
    escaped = stdlib_html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    assert f"<code>{escaped}</code>" in render(replace(bare, parameters=text))


def test_only_drawings_are_html_already() -> None:
    """The template marks nothing as safe, and one line of the package makes HTML of a value."""
    folder = Path(str(page_module.__file__)).parent
    template = (folder / TEMPLATE).read_text()
    assert "safe" not in re.findall(r"\|\s*(\w+)", template)
    assert "autoescape" not in template
    modules = [path.read_text() for path in sorted(folder.glob("*.py"))]
    assert sum(len(re.findall(r"Markup\((?!['\"])", text)) for text in modules) == 1


def test_a_field_that_does_not_exist_is_an_error(bare: Page) -> None:
    """A misspelt name in the template ends in an error, not in a gap on the page."""
    wrong: Any = bare.data
    with pytest.raises(UndefinedError, match="smape"):
        render(replace(bare, scores=wrong))


def test_the_template_shows_every_field() -> None:
    """No number is computed that the page does not show."""
    folder = Path(str(page_module.__file__)).parent
    template = (folder / TEMPLATE).read_text()
    types = [Card, Places, Tile, *vars(page_module).values()]
    types = [kind for kind in types if is_dataclass(kind) and kind is not Findings]
    shown = set(re.findall(r"\w+", re.sub(r"\{#.*?#\}", "", template, flags=re.DOTALL)))
    assert types
    assert {field.name for kind in types for field in fields(kind)} <= shown


def test_what_is_not_known_is_not_printed_as_none(document: Document) -> None:
    """Python's None never stands on the page."""
    assert "None" not in document.text


@pytest.mark.parametrize(("agrees", "mark"), [(True, "\u2713"), (False, "\u2717")])
def test_a_held_out_score_far_from_the_other_is_marked(
    bare: Page, mark: str, *, agrees: bool
) -> None:
    """The mark has a description and the text says what to do."""
    document = parsed(render(replace(bare, checks=replace(bare.checks, held_out_agrees=agrees))))
    assert re.findall("[\u2713\u2717]", document.text) == ["\u2713", "\u2713", mark]
    assert ("Look into it." in document.text) != agrees
    assert "+0.40 points" in document.text


@pytest.mark.parametrize(
    ("auc", "verdict"),
    [
        (0.549, "should hold for the test products"),
        (0.55, "with some reserve"),
        (0.699, "with some reserve"),
        (0.7, "expect other scores"),
    ],
)
def test_the_verdict_on_drift_follows_from_the_auc(bare: Page, auc: float, verdict: str) -> None:
    """The more test rows differ from train rows, the less the scores hold for them."""
    checks = replace(bare.checks, drift=Drift(auc=auc, columns={}))
    assert verdict in parsed(render(replace(bare, checks=checks))).text


@pytest.mark.parametrize(
    ("gain", "text"), [(0.5, "0.50 points better"), (-0.5, "0.50 points worse")]
)
def test_the_gain_of_the_blend_is_in_words(bare: Page, gain: float, text: str) -> None:
    """Its number has no sign."""
    document = parsed(render(replace(bare, gain=gain)))
    assert text in " ".join(document.text.split())


def test_without_known_test_prices_there_is_no_held_out_score(tmp_path: Path) -> None:
    """The two checks of the guards remain."""
    document = parsed(rendered(tmp_path))
    assert re.findall("[\u2713\u2717]", document.text) == ["\u2713", "\u2713"]


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
@pytest.mark.slow
def test_a_browser_shows_it_without_scrolling_sideways(html: str, tmp_path: Path) -> None:
    """At the width of a phone all pictures show, nothing is loaded and no error is logged."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "index.html"
    path.write_text(html, encoding="utf-8")
    events: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        tab = browser.new_page(viewport={"width": 375, "height": 800})
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda message: events.append(message.text))
        tab.on("pageerror", lambda error: events.append(str(error)))
        tab.on("request", lambda request: events.append(request.url))
        tab.goto(path.as_uri())
        tab.wait_for_load_state("load")
        width = tab.evaluate("document.documentElement.scrollWidth")
        drawn = tab.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        browser.close()
    requests = [url for url in events if not url.startswith("data:image/jpeg;base64,")]
    assert requests == [path.as_uri()]
    assert (width, drawn) == (375, True)
