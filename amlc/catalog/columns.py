"""The map of a catalogue's columns, and how its files are written: `data.columns`, `data.read`."""

import codecs
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from amlc.catalog.products import ID, LINK, PRICE, TEXT
from amlc.params import Settings

MAX_COLUMNS = 100  # of one kind
MAX_IMAGES = 20  # of a product
_MAX_NAME = 200  # characters


def _usable(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("a column's name cannot be empty or have control characters")
    return name


def _encoding(name: str) -> str:
    try:
        # Some codecs, such as rot13, do not decode bytes.
        codecs.getincrementaldecoder(name)
        b"abcd".decode(name)
    except UnicodeDecodeError:
        return name
    except (LookupError, ValueError):
        raise ValueError("expected an encoding that Python knows, such as windows-1252") from None
    return name


Name = Annotated[str, Field(min_length=1, max_length=_MAX_NAME), AfterValidator(_usable)]
Names = Annotated[list[Name], Field(max_length=MAX_COLUMNS)]
Mark = Annotated[str, Field(min_length=1, max_length=1)]


class ColumnMap(Settings):
    """Section ``data.columns``: which column of the files is what.

    Parameters
    ----------
    id : str or None
        None: rows are numbered.
    product : list of str
        Columns that say which rows are one product; empty if each row is a product. See
        `amlc.catalog.arrangement`.
    text : str or list of str
        A column that holds a whole catalogue text, or those from which one is laid out.
    quantity : str or None
        A column with an amount and its unit.
    image, price, currency : str or None
    categories, numbers, dates : list of str
        Columns that become features.
    """

    id: Name | None
    product: Names
    text: Name | Annotated[list[Name], Field(min_length=1, max_length=MAX_COLUMNS)]
    quantity: Name | None
    image: Name | None
    price: Name
    categories: Names
    numbers: Names
    dates: Names
    currency: Name | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.quantity is not None and isinstance(self.text, str):
            raise ValueError(
                "quantity needs a list of text columns, because one text is taken as it is: write "
                f"text: [{self.text}]"
            )
        if self.price in {*self.texts, self.quantity, *self.own, self.id}:
            raise ValueError(
                f"the price column {self.price} cannot be anything else: it would leak"
            )
        for kind in ("categories", "numbers", "dates"):
            names = getattr(self, kind)
            if len(set(names)) < len(names):
                raise ValueError(f"{kind} names a column twice")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of text, the title first."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)

    @property
    def own(self) -> tuple[str, ...]:
        """The columns that may become features by themselves; one may have several kinds."""
        currency = () if self.currency is None else (self.currency,)
        names = (*self.categories, *self.numbers, *self.dates, *currency)
        return tuple(dict.fromkeys(names))

    @property
    def inputs(self) -> tuple[str, ...]:
        """All columns but the price, each once."""
        return tuple(dict.fromkeys(self._inputs()))

    def _inputs(self) -> Iterator[str]:
        for name in (self.id, *self.product, *self.texts, self.quantity, self.image, *self.own):
            if name is not None:
                yield name

    @property
    def names(self) -> dict[str, str]:
        """The column of the file for each of id, text, link and price."""
        image = {} if self.image is None else {LINK: self.image}
        first = {} if self.id is None else {ID: self.id}
        return {**first, TEXT: self.texts[0], **image, PRICE: self.price}

    @property
    def is_plain(self) -> bool:
        """Whether the files have one row for each product, with an id and a whole text."""
        return self.id is not None and not self.product and isinstance(self.text, str)


# The four columns of the competition.
COMPETITION = ColumnMap(
    id=ID,
    product=[],
    text=TEXT,
    quantity=None,
    image=LINK,
    price=PRICE,
    categories=[],
    numbers=[],
    dates=[],
    currency=None,
)


class ReadSettings(Settings):
    """Section ``data.read``: how the files are written.

    Parameters
    ----------
    separator, quote : str
        Of a text file; without a quote, each line is a row.
    encoding : str
        Of a text file.
    decimal, thousands : str
        The marks in prices and numbers.
    currency_signs : bool
        Whether prices may have a currency's sign or code before or after the number.
    date_format : str
        ``iso``, or a format of `datetime.strptime`.
    images : str
        Whether a picture is given as a link or as a path.
    image_separator : str or None
        What stands between several pictures.
    max_images : int
        How many of several pictures are used; their features are averaged.
    sheet : str or None
        The sheet of a workbook; None: the first.
    """

    separator: Mark
    quote: Mark | None
    encoding: Annotated[str, Field(max_length=40), AfterValidator(_encoding)]
    decimal: Literal[".", ","]
    thousands: Literal[",", ".", " ", "'"] | None
    currency_signs: bool
    date_format: Annotated[str, Field(min_length=1, max_length=60)]
    images: Literal["links", "paths"]
    image_separator: Annotated[str, Field(min_length=1, max_length=5)] | None
    max_images: Annotated[int, Field(ge=1, le=MAX_IMAGES)]
    sheet: Annotated[str, Field(min_length=1, max_length=100)] | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must be different marks")
        if self.separator == self.quote or {self.separator, self.quote} & set("\r\n\0"):
            raise ValueError("separator and quote must be different, and no line break")
        return self

    @property
    def has_plain_numbers(self) -> bool:
        """Whether numbers are written as Python writes them."""
        return self.decimal == "." and self.thousands is None and not self.currency_signs


PLAIN = ReadSettings(
    separator=",",
    quote='"',
    encoding="utf-8",
    decimal=".",
    thousands=None,
    currency_signs=False,
    date_format="iso",
    images="links",
    image_separator=None,
    max_images=8,
    sheet=None,
)
