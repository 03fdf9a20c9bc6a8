"""The report as one self-contained HTML file, rendered from report.html.j2."""

from functools import cache
from pathlib import Path

from jinja2 import Template

from amlc.report.cleaning import clean
from amlc.report.page import Page
from amlc.templates import template_environment

TEMPLATE = "report.html.j2"


def render(page: Page) -> str:
    """Return the report as HTML; the same page gives the same bytes.

    Parameters
    ----------
    page : Page
        The template refers to its fields by name, and escapes every value that is not
        `markupsafe.Markup`, which only `amlc.report.svg.inline_svg` makes.
    """
    return _template().render(vars(page))


@cache
def _template() -> Template:
    environment = template_environment(Path(__file__).parent)
    environment.filters |= {
        "clean": clean,
        "number": number,
        "percent": percent,
        "signed": signed,
    }
    return environment.get_template(TEMPLATE)


# The filters call `float`, so that Jinja reports an undefined value by its name.


def number(value: float, decimals: int = 0) -> str:
    """Return a number with this many decimals and commas between the thousands.

    Examples
    --------
    >>> number(1234.5, 2)
    '1,234.50'
    """
    return f"{float(value):,.{decimals}f}"


def percent(share: float) -> str:
    """Return a share in percent, without trailing zeros.

    Examples
    --------
    >>> percent(0.8), percent(0.975)
    ('80', '97.5')
    """
    return f"{100 * float(share):g}"


def signed(value: float, decimals: int) -> str:
    r"""Return a number with its sign; a minus is U+2212, as wide as the plus.

    Examples
    --------
    >>> signed(0.5, 2), signed(-0.5, 2) == "\N{MINUS SIGN}0.50"
    ('+0.50', True)
    """
    return f"{float(value):+,.{decimals}f}".replace("-", "\u2212")
