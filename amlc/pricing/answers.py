"""What is asked of a priced product, and what is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Question:
    """A product to price.

    Parameters
    ----------
    text : str
        Its catalogue text, in the form of the column ``catalog_content``.
    picture : bytes, optional
        A JPEG or PNG file, checked and scaled as the pipeline's pictures are; None for none.
    """

    text: str
    picture: bytes | None = None


@dataclass(frozen=True)
class Similar:
    """A train product with similar text.

    Parameters
    ----------
    sample_id, title, image_link : str
        As in the catalogue.
    price : float
        What it costs.
    similarity : float
        Mean over the groups of terms of the cosine similarity, from 0 to 1.
    picture : bytes, optional
        A small JPEG; None where its link failed.
    """

    sample_id: str
    title: str
    image_link: str
    price: float
    similarity: float
    picture: bytes | None


@dataclass(frozen=True)
class Contribution:
    """How much one part of a product moves its price.

    Parameters
    ----------
    part : str
        What was left out, such as "picture".
    factor : float
        The price divided by the price without that part.
    """

    part: str
    factor: float


@dataclass(frozen=True)
class Answer:
    """A price and what stands behind it.

    Parameters
    ----------
    price, low, high : float
        The price and its interval, 80 % by default.
    reasons : tuple of str
        What was missing or faulty, such as "no picture"; empty where nothing was.
    similar : tuple of Similar
        The most similar first; empty unless asked for.
    contributions : tuple of Contribution
        The largest effect first; empty unless asked for.
    """

    price: float
    low: float
    high: float
    reasons: tuple[str, ...] = ()
    similar: tuple[Similar, ...] = ()
    contributions: tuple[Contribution, ...] = ()


class Pricer(Protocol):
    """What prices products; safe to call from several threads.

    Attributes
    ----------
    version : str
        Names the model: the first 12 hexadecimal digits of its manifest's SHA-256.
    coverage : float
        Share of the prices that the interval should hold, such as 0.8.
    """

    version: str
    coverage: float

    def price(
        self, questions: Sequence[Question], *, similar: int = 0, contributions: bool = False
    ) -> list[Answer]:
        """Price some products, in their order.

        Parameters
        ----------
        questions : sequence of Question
            An empty text is priced as well as it can be, with a reason.
        similar : int
            How many similar products to name for each.
        contributions : bool
            Whether to tell how much each part of a product moves its price.
        """
        ...
