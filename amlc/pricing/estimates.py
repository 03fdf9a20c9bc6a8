"""The input and the output of a pricer: a product, and the estimate of its price."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from amlc.images.fetch_result import Picture
from amlc.images.settings import PictureSettings
from amlc.pricing.catalog_settings import CatalogSettings


class ReasonKind(enum.Enum):
    """What was missing or unusable, in words; braces stand for the detail."""

    NO_TEXT = "no text"
    TEXT_CUT = "text cut after {} characters"
    NO_PICTURE = "no picture"
    NOT_IN_FOLDER = "no picture in the folder"
    PICTURE_NOT_USED = "picture not used: {}"
    NOT_FETCHED = "picture not fetched: only the first {} are"


@dataclass(frozen=True)
class Reason:
    """Something about a product that was missing or unusable.

    Parameters
    ----------
    kind : ReasonKind
    detail : str
        What its kind leaves open, such as why a picture was not used.

    Examples
    --------
    >>> str(Reason(ReasonKind.PICTURE_NOT_USED, "damaged image"))
    'picture not used: damaged image'
    """

    kind: ReasonKind
    detail: str = ""

    def __str__(self) -> str:
        return self.kind.value.format(self.detail)


NO_TEXT, NO_PICTURE = Reason(ReasonKind.NO_TEXT), Reason(ReasonKind.NO_PICTURE)
ProductPicture = bytes | Path | Picture | Reason | None


@dataclass(frozen=True)
class Product:
    """A product to price, as the user enters it.

    Parameters
    ----------
    text : str
        Its catalogue text, in the form of the column ``catalog_content``.
    picture : bytes, Path, Picture, Reason or None
        An unchecked image file of any size or where it is, which keeps memory small; a picture
        that is checked and reduced already; the reason why there is none; or None where none was
        asked for, which needs no reason.
    own : tuple of (str, str)
        The cells of the columns that the model has besides the text, by their names in the product
        table; one that is not there is missing.
    currency : str
        One of ``data.rates``, in which the price is given; empty, or without a rate, for the one
        in which the model compares prices.
    further_pictures : tuple of bytes, Path, Picture, Reason or None
        Its other pictures; features are averaged over all.
    """

    text: str
    picture: ProductPicture = NO_PICTURE
    own: tuple[tuple[str, str], ...] = ()
    currency: str = ""
    further_pictures: tuple[ProductPicture, ...] = ()


@dataclass(frozen=True)
class SimilarProduct:
    """A train product whose text resembles that of the product to price.

    Parameters
    ----------
    sample_id, title, image_link : str
        As in the catalogue.
    price : float
        Its price, in the currency of the product to price.
    similarity : float
        Mean over the groups of terms of the cosine similarity, from 0 to 1.
    picture : bytes, optional
        A small JPEG; None where its picture could not be fetched.
    fields : tuple of (str, str)
        Its further fields, by the names that the user gave them.
    """

    sample_id: str
    title: str
    image_link: str
    price: float
    similarity: float
    picture: bytes | None
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Contribution:
    """How much one part of a product moves its price.

    Parameters
    ----------
    part : str
        The part, such as "picture".
    factor : float
        The price divided by the price without that part.
    """

    part: str
    factor: float


@dataclass(frozen=True)
class Estimate:
    """The estimated price of a product, and what it is based on.

    Parameters
    ----------
    price, low, high : float
        The price and the two ends of its interval, which contains the share of prices that
        `Pricer.coverage` names.
    reasons : tuple of Reason
        What was missing or unusable.
    similar : tuple of SimilarProduct
        The most similar first; empty unless requested.
    contributions : tuple of Contribution
        The largest effect first; empty unless requested.
    """

    price: float
    low: float
    high: float
    reasons: tuple[Reason, ...] = ()
    similar: tuple[SimilarProduct, ...] = ()
    contributions: tuple[Contribution, ...] = ()


class Pricer(Protocol):
    """Estimates prices of products; safe to call from several threads.

    Attributes
    ----------
    version : str
        Identifies the model: the first 12 hexadecimal digits of its manifest's SHA-256.
    coverage : float
        Share of the prices that the interval should contain, such as 0.8.
    catalog : CatalogSettings
        How products are described.
    picture : PictureSettings
        What a picture is.
    category_values : mapping of str to tuple of str
        The frequent values of each category, by its column.
    """

    version: str
    coverage: float
    catalog: CatalogSettings
    picture: PictureSettings

    @property
    def category_values(self) -> Mapping[str, tuple[str, ...]]:  # noqa: D102 - see the class
        ...

    def price(
        self, products: Sequence[Product], *, similar: int = 0, contributions: bool = False
    ) -> list[Estimate]:
        """Estimate the prices of products, in their order.

        Parameters
        ----------
        products : sequence of Product
            A product with an empty text gets a price as well, with a reason.
        similar : int
            How many similar products to return for each product.
        contributions : bool
            Whether to compute how much each part of a product moves its price.
        """
        ...
