"""The text of a product as encoders read it: what matters most comes first."""

from amlc.catalog.content import Content
from amlc.catalog.quantities import parse_quantity


def product_text(content: Content) -> str:
    r"""Lay out the fields of a product for an encoder, which reads only the first tokens.

    Parameters
    ----------
    content : Content
        The parsed fields.

    Returns
    -------
    str
        Title, value with unit, number of packs if the title states several, then bullet points and
        description, with a single space for white space; empty if the product has none of them.

    Examples
    --------
    >>> product_text(Content("Soda, Pack of 6", ("Sweet",), "Cold\ndrink", 72.0, "Fl Oz"))
    'Soda, Pack of 6. 72 Fl Oz. Pack of 6. Sweet. Cold drink'
    """
    packs = parse_quantity(content.title).packs
    parts = (
        content.title,
        _amount(content),
        f"Pack of {packs:g}" if packs > 1 else "",
        *content.bullets,
        content.description,
    )
    lines = (" ".join(part.split()) for part in parts)
    return ". ".join(line.rstrip(".") for line in lines if line)


def _amount(content: Content) -> str:
    if content.value is None:
        return ""
    return f"{content.value:.6g} {content.unit}"
