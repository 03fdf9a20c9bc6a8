"""Drawings as inline SVG."""

import xml.etree.ElementTree as ET

import pytest
from matplotlib import rc_context
from matplotlib.axes import Axes

from amlc.report.svg import ACCENT, VARIABLES, inline_svg, price_ticks


def draw(axes: Axes) -> None:
    """Draw a line, whose ends are clipped, and a text that looks like mathematics."""
    axes.plot([0, 1], [0, 5], color=ACCENT)
    axes.set(ylim=(1, 4), xlabel="a $price$ & <more>")


def test_a_drawing_is_well_formed_and_described() -> None:
    """The alternative text is escaped."""
    root = ET.fromstring(inline_svg("a", 'a "b" <c> & d', draw))
    assert (root.tag, root.get("role"), root.get("aria-label")) == ("svg", "img", 'a "b" <c> & d')


def test_text_stays_text() -> None:
    """A reader can select it, and a dollar sign does not start a formula."""
    assert "a $price$ &amp; &lt;more&gt;" in inline_svg("a", "x", draw)


def test_text_has_the_font_of_the_page() -> None:
    """A drawing states sizes, but no font of its own."""
    drawing = inline_svg("a", "x", draw)
    assert "font-size: 10px" in drawing
    assert "font-family" not in drawing


def test_colors_are_those_of_the_page() -> None:
    """They follow the reader's light or dark scheme."""
    drawing = inline_svg("a", "x", draw)
    assert "var(--accent)" in drawing
    assert not [color for color in VARIABLES if color in drawing]


def test_the_same_drawing_gives_the_same_bytes() -> None:
    """There are no dates or random identifiers, and the user's configuration has no effect."""
    before = inline_svg("a", "x", draw)
    with rc_context({"font.size": 30, "axes.grid": False, "svg.hashsalt": None}):
        assert inline_svg("a", "x", draw) == before


def test_identifiers_are_unique_among_drawings() -> None:
    """Two drawings on one page share no identifier."""
    roots = [ET.fromstring(inline_svg(name, "x", draw)) for name in ("a", "b")]
    names = [node.get("id") for root in roots for node in root.iter() if node.get("id")]
    assert names
    assert len(names) == len(set(names))


def test_references_stay_inside_the_inline_svg() -> None:
    """Every clip path is defined in the drawing that uses it."""
    text = inline_svg("a", "x", draw)
    root = ET.fromstring(text)
    names = {node.get("id") for node in root.iter()}
    clips = {node.get("clip-path") for node in root.iter()} - {None}
    assert clips
    assert all(str(clip).removeprefix("url(#").removesuffix(")") in names for clip in clips)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.6, 700, [1, 10, 100]),
        (3, 40, [5, 10, 20]),
        (10.0, 10.0, [10]),
        (0.02, 0.3, [0.02, 0.05, 0.1, 0.2]),
    ],
)
def test_price_ticks_are_round_and_inside(low: float, high: float, ticks: list[float]) -> None:
    """They are powers of ten, with steps between them on a short axis."""
    assert price_ticks(low, high) == pytest.approx(ticks)
