"""Matplotlib figures as inline SVG that takes its colours from the page."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Matplotlib draws with these colours; the SVG refers to variables of the page's style sheet in
# their place, so that a drawing follows the reader's light or dark scheme.
INK, MUTED, LINE = "#1c2127", "#5a6270", "#d5dae1"
ACCENT, SECOND, THIRD = "#1d5c9f", "#b4530f", "#2c7a54"
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    ACCENT: "--accent",
    SECOND: "--second",
    THIRD: "--third",
}
SERIES = (ACCENT, SECOND, THIRD, MUTED)

# SVG units; the page shows a drawing at 0.9 to 1.4 times its size.
WIDTH, HEIGHT = 376, 258

RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 10.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 1.8,
}


def inline_svg(
    name: str, alt: str, draw: Callable[[Axes], None], *, height: int = HEIGHT
) -> Markup:
    """Draw on one pair of axes and return an SVG element; the same drawing gives the same bytes.

    Parameters
    ----------
    name : str
        Unique on the page, because the identifiers inside the SVG derive from it.
    alt : str
        Description of the drawing for readers who cannot see it.
    draw : callable
        Draws on the axes.
    height : int
        In SVG units.
    """
    # Regardless of the user's configuration of Matplotlib.
    with style.context(["default", {**RC, "svg.hashsalt": name}]):
        figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
        draw(figure.subplots())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        alt,
        WIDTH,
        height,
        Markup(_inner_svg(stream.getvalue())),  # noqa: S704 - Matplotlib escapes the texts that it draws
    )


def _inner_svg(text: str) -> str:
    """Return what the svg element of a drawing contains, with the fonts and colours of the page."""
    inside = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    # A style sheet inside would apply to the whole page; report.css has the same rules.
    inside = re.sub(r"<(metadata|style)\b.*?</\1>", "", inside, flags=re.DOTALL)
    inside = inside.replace("xlink:href=", "href=")
    # Texts have the font of the page.
    inside = re.sub(r" font-family: [^;\"]*;", "", inside)
    inside = re.sub(r"\n\s*", "\n", inside).strip()
    used = set(re.findall(r"#([\w-]+)[\"')]", inside))
    inside = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", inside)
    for color, variable in VARIABLES.items():
        inside = inside.replace(color, f"var({variable})")
    return inside


def price_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten from `low` to `high`; on a short axis also 2 and 5 times each.

    Examples
    --------
    >>> price_ticks(0.6, 700)
    [1.0, 10.0, 100.0]
    >>> price_ticks(3, 40)
    [5.0, 10.0, 20.0]
    """
    exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    few = len(exponents) <= 3
    steps = (1.0, 2.0, 5.0) if few else (1.0,)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    return [tick for tick in ticks if low <= tick <= high]
