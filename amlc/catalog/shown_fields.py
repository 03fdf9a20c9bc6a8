"""The fields of a product that are shown beside its title, by the names that the user gave them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from amlc.catalog.columns import ColumnMap
from amlc.catalog.content import parse_content
from amlc.catalog.fields import field_name
from amlc.catalog.products import CATEGORY, DATE, NUMBER

MAX_SHOWN = 80  # characters of a value


def shown_fields(
    text: str, own: Mapping[str, Any], columns: ColumnMap
) -> tuple[tuple[str, str], ...]:
    r"""Return the names and the values of the fields that are filled, without descriptions.

    Parameters
    ----------
    text : str
        The catalogue text.
    own : mapping of str to str or float
        The values of the user's own columns, by their names in the product table.
    columns : ColumnMap
        The map.

    Examples
    --------
    >>> from amlc.catalog.columns import COMPETITION
    >>> columns = COMPETITION.model_copy(update={"text": ["name", "brand"], "dates": ["added"]})
    >>> shown_fields("Item Name: Tea\nBullet Point: brand: Yogi", {"date:added": 19782.0}, columns)
    (('brand', 'Yogi'), ('added', '2024-02-29'))
    """
    fields = dict(_fields(text, own, columns))
    return tuple((name, value[:MAX_SHOWN]) for name, value in fields.items() if value)


def _fields(text: str, own: Mapping[str, Any], columns: ColumnMap) -> Iterator[tuple[str, str]]:
    if not isinstance(columns.text, str):
        content = parse_content(text)
        for name in columns.text[1:]:
            start = f"{field_name(name)}: "
            for bullet in content.bullets:
                if bullet.startswith(start):
                    yield name, bullet.removeprefix(start)
        if columns.quantity is not None and content.value is not None:
            yield columns.quantity, f"{content.value:g} {content.unit}"
    for name in columns.categories:
        yield name, own.get(CATEGORY + name, "")
    for name in columns.numbers:
        number = own.get(NUMBER + name, np.nan)
        yield name, f"{number:g}" if np.isfinite(number) else ""
    for name in columns.dates:
        days = own.get(DATE + name, np.nan)
        yield name, str(np.datetime64(int(days), "D")) if np.isfinite(days) else ""
