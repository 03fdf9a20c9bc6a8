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

from amlc.evaluation.metrics_files import Drift, Leak, ModelScore
from amlc.report import page as page_module
from amlc.report.examples import Card, Tile
from amlc.report.findings import Findings, read_findings
from amlc.report.page import Importance, Page
from amlc.report.render import TEMPLATE, render
from tests.helpers.results import page_of_findings, write_results

CHROMIUM = Path("/usr/bin/chromium")
# Milliseconds; a busy machine is slow to draw.
PATIENCE = 600_000
# Elements without an end tag.
VOID = ("img", "meta")
# In SVG an element may close itself.
SELF_CLOSING = ("path", "use", "rect", "line", "circle", "g")


class Document(HTMLParser):
    """Checks that every element is closed, and collects the elements."""

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
        """Check that the tag closes the element that was opened last."""
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
    return page_of_findings(root, read_findings(root, models, synthetic=True))


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
    """Each end tag closes the innermost open element."""
    assert Counter(name for name, _ in document.elements)["section"] == 9


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
    assert len(drawings) == 9
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


def test_rows_that_lack_something_are_counted(document: Document) -> None:
    """The table of rows has those without text or link, and the links of placeholders."""
    for line in ("test rows without link4", "with the link of a placeholder5", "no-image.gif5"):
        assert line in document.text


@pytest.mark.parametrize(
    ("results", "absent", "present"),
    [
        ({"pictured": False}, "At even steps", "0 of 140 distinct links gave a picture"),
        ({"boosted": False}, "Learning curves", "One model ran"),
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


def changed(model: Any, **values: Any) -> Any:
    """Return a copy of a metrics file's content with other values."""
    return model.model_copy(update=values)


def rows_of(html: str, caption: str) -> list[tuple[str, str, str | None]]:
    """Return heading, text and width of the bar of each row of a table of two columns."""
    table = html.partition(f'aria-label="{caption}')[2].partition("</table>")[0]
    row = r'<th scope="row">(.*?)</th><td>\s*([^<]*?)(?:<span .*?width:(.*?)".*?)?\s*</td>'
    return [(name, text, width or None) for name, text, width in re.findall(row, table)]


def with_title(page: Page, title: str) -> Page:
    """Return a page with one product on its contact sheet."""
    return replace(page, tiles=(Tile("data:", title, 1.0),))


@settings(max_examples=40)
@given(text=TEXTS)
def test_any_text_is_shown_unchanged(bare: Page, text: str) -> None:
    """Any text stays the text of its element and adds no element."""
    before = parsed(render(replace(bare, parameters="")))
    after = parsed(render(replace(bare, parameters=text)))
    assert len(after.text) == len(before.text) + len(text)
    assert text in after.text
    assert after.elements == before.elements


@settings(max_examples=40)
@given(text=TEXTS.filter(bool))
def test_any_attribute_is_kept_unchanged(bare: Page, text: str) -> None:
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
    types = [Card, Tile, *vars(page_module).values()]
    types = [kind for kind in types if is_dataclass(kind) and kind is not Findings]
    shown = set(re.findall(r"\w+", re.sub(r"\{#.*?#\}", "", template, flags=re.DOTALL)))
    assert types
    assert {field.name for kind in types for field in fields(kind)} <= shown


def test_what_is_not_known_is_not_printed_as_none(document: Document) -> None:
    """Python's None never appears on the page."""
    assert "None" not in document.text


@pytest.mark.parametrize(
    ("gap", "shown", "mark"), [(0.4, "+0.40", "\u2713"), (-2.1, "\u22122.10", "\u2717")]
)
def test_a_held_out_score_far_from_the_other_is_marked(
    bare: Page, gap: float, shown: str, mark: str
) -> None:
    """The mark has a description and the text says what to do."""
    details = changed(bare.details, held_out=changed(bare.details.held_out, gap=gap))
    document = parsed(render(replace(bare, details=details)))
    assert re.findall("[\u2713\u2717]", document.text) == ["\u2713", "\u2713", mark]
    assert ("Look into it." in document.text) == (mark == "\u2717")
    assert f"{shown} points" in document.text


@pytest.mark.parametrize(
    ("auc", "verdict"),
    [
        (0.549, "should hold for the test products"),
        (0.55, "only a rough guide to the test products"),
        (0.699, "only a rough guide to the test products"),
        (0.7, "expect different scores"),
    ],
)
def test_the_verdict_on_drift_follows_from_the_auc(bare: Page, auc: float, verdict: str) -> None:
    """The more test rows differ from train rows, the less the scores hold for them."""
    guards = changed(bare.guards, drift=Drift(auc=auc, columns={}))
    assert verdict in parsed(render(replace(bare, guards=guards))).text


@pytest.mark.parametrize(
    ("best", "text"), [(41.5, "1.50 points better"), (39.0, "1.00 points worse")]
)
def test_the_gain_of_the_blend_is_in_words(bare: Page, best: float, text: str) -> None:
    """It is that over the best member, and its number has no sign."""
    models = {
        "linear": ModelScore(smape=60.0, smape_se=1.0, weight=0.5),
        "lightgbm": ModelScore(smape=best, smape_se=1.0, weight=0.5),
    }
    page = replace(
        bare,
        scores=changed(bare.scores, smape=40.0, smape_low=39.0, smape_high=41.0),
        details=changed(bare.details, models=models),
    )
    assert text in " ".join(parsed(render(page)).text.split())


def test_the_columns_of_drift_are_ordered(bare: Page) -> None:
    """The column with the largest AUC comes first; a bar is empty at an AUC of a half."""
    guards = changed(bare.guards, drift=Drift(auc=0.6, columns={"a": 0.45, "b": 0.5, "c": 0.75}))
    assert rows_of(render(replace(bare, guards=guards)), "Columns that separate them best") == [
        ("c", "0.750", "50%"),
        ("b", "0.500", "0%"),
        ("a", "0.450", "0%"),
    ]


def test_rare_reasons_are_counted_together(bare: Page) -> None:
    """The most frequent ones are named, the most frequent first; no link is left out."""
    failures = {f"http {code}": code for code in range(400, 415)}
    images = changed(bare.images, placeholders=sum(failures.values()), failures=failures)
    page = render(replace(bare, images=images))
    (_, total, _), *named, (others, rest, _) = rows_of(page, "Links without a picture")
    assert [name for name, _, _ in named] == [f"\u2013 http {code}" for code in range(414, 402, -1)]
    assert others == "\u2013 other reasons"
    counts = [int(number) for _, number, _ in named]
    assert sum(counts) + int(rest.replace(",", "")) == int(total.replace(",", ""))


def test_bars_of_importance_are_relative_to_the_first_column(bare: Page) -> None:
    """Shares are in percent; shares of zero have empty bars."""
    for shares, rows in (
        ((0.8, 0.2), [("b", "80.0 %", "100%"), ("c", "20.0 %", "25%")]),
        ((0.0, 0.0), [("b", "0.0 %", "0%"), ("c", "0.0 %", "0%")]),
    ):
        importance = Importance("lightgbm", tuple(zip("bc", shares, strict=True)))
        assert rows_of(render(replace(bare, importance=importance)), "By column") == rows


def test_names_from_outside_are_cut_to_size(bare: Page) -> None:
    """Words of the catalogue may be of any length."""
    leak = Leak(feature="w" * 500, partner="a\u202eb", share=0.4)
    html = render(replace(bare, guards=changed(bare.guards, leak=leak)))
    feature, partner = re.findall("<q>(.*?)</q>", html)
    assert (len(feature), partner) == (90, "ab")


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
