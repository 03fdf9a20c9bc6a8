"""Pieces of the page: tables, figures, facts, cards of products."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from amlc.catalog.content import parse_content
from amlc.catalog.products import LINK, PRICE, TEXT
from amlc.report.findings import Findings
from amlc.report.markup import Child, Html, clean, joined, tag

TITLE_LENGTH = 110
EXCERPT_LENGTH = 120


def section(anchor: str, title: str, *children: Child) -> Html:
    """Return a section with a heading that can be linked to."""
    return tag("section", tag("h2", title), *children, id=anchor)


def figure(title: str, drawing: Html, caption: Child) -> Html:
    """Return a picture with a heading and a caption."""
    return tag("figure", tag("h3", title), drawing, tag("figcaption", caption))


def pair(*children: Child) -> Html:
    """Return pieces side by side where there is room, else one below the other."""
    return tag("div", *children, class_="pair")


def facts(items: Iterable[tuple[str, str]]) -> Html:
    """Return names with a value each."""
    return tag(
        "dl",
        (tag("div", tag("dt", name), tag("dd", value)) for name, value in items),
        class_="facts",
    )


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Child]],
    *,
    total: bool = False,
    words: bool = False,
) -> Html:
    """Return a table; the first cell of a row is its heading.

    Parameters
    ----------
    caption : str
        What the table shows.
    header : sequence of str
        Names of the columns.
    rows : iterable of sequences
        Cells, each text or `Html`.
    total : bool
        Whether the first row stands out.
    words : bool
        Whether the cells are words, set from the left, and not numbers.
    """
    head = tag("thead", tag("tr", (tag("th", name, scope="col") for name in header)))
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            (tag("td", cell) for cell in row[1:]),
            class_="total" if total and not place else None,
        )
        for place, row in enumerate(rows)
    ]
    inside = tag(
        "table",
        tag("caption", caption),
        head,
        tag("tbody", body),
        class_="words" if words else None,
    )
    # A table that is too wide scrolls by itself, also by the keyboard.
    return tag("div", inside, class_="wide", tabindex="0", role="group", aria_label=caption)


def bar(share: float) -> Html:
    """Return a bar beside a number; it says nothing that the number does not."""
    width = f"width:{100 * min(max(share, 0.0), 1.0):.0f}%"
    return tag("span", tag("i", style=width), class_="bar hide", aria_hidden="true")


def price(value: float) -> str:
    """Return a price as text.

    Examples
    --------
    >>> price(1234.5)
    '1,234.50'
    """
    return f"{value:,.2f}"


def cards(rows: pd.DataFrame, images: dict[str, str], findings: Findings) -> Html:
    """Return a list of products, each with its picture, text, prices and interval."""
    every = findings.train[[PRICE, "predicted"]].to_numpy(np.float64)
    low, high = np.log(np.quantile(every, [0.005, 0.995]))

    def place(value: float) -> float:
        return 100 * float(np.clip((np.log(value) - low) / (high - low), 0, 1))

    return tag(
        "ul",
        (
            _card(row, images.get(str(row[LINK])), [place(row[name]) for name in _PLACED])
            for row in rows.to_dict("records")
        ),
        class_="cards",
    )


_PLACED = ("low", "high", "predicted", PRICE)


def _card(row: dict[Any, Any], image: str | None, places: list[float]) -> Html:
    content = parse_content(str(row[TEXT]))
    title = clean(content.title, TITLE_LENGTH) or "No title"
    said = [*content.bullets, content.description]
    excerpt = clean(" · ".join(filter(None, said)), EXCERPT_LENGTH)
    return tag(
        "li",
        thumbnail(image, title) if image else tag("div", "no picture", class_="none"),
        tag("div", tag("h4", title, dir="auto"), tag("p", excerpt, dir="auto") if excerpt else ""),
        _prices(row),
        _range(*places),
    )


def thumbnail(image: str, alt: str) -> Html:
    """Return a picture from a data URL."""
    return tag("img", src=image, alt=alt, decoding="async")


def _prices(row: dict[Any, Any]) -> Html:
    values = {name: price(row[name]) for name in _PLACED}
    shown = [
        ("actual", values[PRICE]),
        ("predicted", values["predicted"]),
        ("interval", f"{values['low']} to {values['high']}"),
    ]
    pairs = (tag("div", tag("dt", name), tag("dd", value)) for name, value in shown)
    return tag("dl", pairs, class_="prices")


def _range(low: float, high: float, predicted: float, actual: float) -> Html:
    """Return the interval and both prices on a log axis; the numbers stand above it."""
    return tag(
        "div",
        tag("i", style=f"left:{low:.1f}%;width:{high - low:.1f}%"),
        tag("b", style=f"left:{predicted:.1f}%"),
        tag("b", style=f"left:{actual:.1f}%", class_="actual"),
        class_="range",
        aria_hidden="true",
    )


def key() -> Html:
    """Return what the marks below the prices mean."""
    return tag(
        "p",
        tag("b", class_="actual"),
        "actual",
        tag("b"),
        "predicted",
        tag("i"),
        "interval, on a logarithmic axis",
        class_="key",
    )


def contact_sheet(rows: pd.DataFrame, images: dict[str, str]) -> Html:
    """Return pictures with their product's price below."""
    tiles = []
    for row in rows.to_dict("records"):
        image = images.get(str(row[LINK]))
        if image is not None:
            title = clean(parse_content(str(row[TEXT])).title, TITLE_LENGTH) or "No title"
            tiles.append(joined(thumbnail(image, title), tag("span", price(row[PRICE]))))
    return tag("ul", (tag("li", tile) for tile in tiles), class_="sheet")
