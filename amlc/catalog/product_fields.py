"""The fields of one product, as a map of columns names them, and what they make."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from amlc.catalog.columns import ColumnMap, ReadSettings
from amlc.catalog.content import is_missing
from amlc.catalog.fields import is_description, lay_out
from amlc.catalog.own_columns import is_readable, names_in_table
from amlc.catalog.products import CATEGORY, DATE, NUMBER

FieldKind = Literal["text", "description", "quantity", "category", "number", "date", "currency"]
_KINDS: dict[str, FieldKind] = {CATEGORY: "category", NUMBER: "number", DATE: "date"}


@dataclass(frozen=True)
class ProductField:
    """A field that a user fills in.

    Parameters
    ----------
    name : str
        The column.
    kind : str
        The strictest of its uses.
    """

    name: str
    kind: FieldKind


class ProductFields:
    """What the cells of a product make.

    Parameters
    ----------
    columns : ColumnMap
        The map.
    read : ReadSettings
        How numbers and dates are written.
    rates : mapping of str to float
        Those of the currencies; empty where prices are not converted.
    """

    def __init__(
        self, columns: ColumnMap, read: ReadSettings, rates: Mapping[str, float] | None = None
    ) -> None:
        self.columns, self.read, self.rates = columns, read, dict(rates or {})
        self._own = names_in_table(columns, rates=bool(rates))

    def fields(self) -> list[ProductField]:
        """Return the fields besides id and picture, the title first."""
        kinds: dict[str, FieldKind] = dict.fromkeys(self.columns.texts, "text")
        if isinstance(self.columns.text, str):
            kinds[self.columns.text] = "description"
        for name in self.columns.texts[1:]:
            if is_description(name):
                kinds[name] = "description"
        if self.columns.quantity is not None:
            kinds[self.columns.quantity] = "quantity"
        for in_table, name in self._own.items():
            kinds[name] = _KINDS[in_table.removesuffix(name)]
        if self.columns.currency is not None and self.rates:
            kinds[self.columns.currency] = "currency"
        return [ProductField(name, kind) for name, kind in kinds.items()]

    def text(self, cells: Mapping[str, str]) -> str:
        """Return the catalogue text; a single column of text is taken as it is.

        Parameters
        ----------
        cells : mapping of str to str
            By column; those of the map.
        """
        columns = self.columns
        if isinstance(columns.text, str):
            return cells[columns.text]
        quantity = "" if columns.quantity is None else cells[columns.quantity]
        return lay_out(columns.text, [cells[name] for name in columns.text], quantity)

    def own(self, cells: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the cells that become features, by their names in the product table."""
        return tuple((in_table, cells[name]) for in_table, name in self._own.items())

    def currency(self, cells: Mapping[str, str]) -> str:
        """Return the currency in which the product is to be priced; empty for the common one."""
        if self.columns.currency is None or not self.rates:
            return ""
        return cells[self.columns.currency].strip()

    def unreadable(self, cells: Mapping[str, str]) -> Iterator[tuple[str, FieldKind]]:
        """Yield the name and the kind of each field that is no number, date or known currency."""
        for in_table, name in self._own.items():
            if not is_readable(in_table, cells[name], self.read):
                yield name, _KINDS[in_table.removesuffix(name)]
        currency = self.currency(cells)
        if self.rates and self.columns.currency is not None and currency not in self.rates:
            yield self.columns.currency, "currency"

    def is_empty(self, cells: Mapping[str, str]) -> bool:
        """Return whether no text, quantity or column of its own is filled."""
        named = {*self.columns.texts, self.columns.quantity, *self.columns.own}
        ids = {self.columns.id, *self.columns.product}
        return all(is_missing(cells[name]) for name in named - ids if name is not None)
