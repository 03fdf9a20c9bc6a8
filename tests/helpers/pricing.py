"""A pricer without a model: its prices follow from the bytes of a product."""

import threading
import zlib
from collections.abc import Iterator, Sequence

from amlc.catalog.columns import COMPETITION, PLAIN, ColumnMap, ReadSettings
from amlc.images.decode import decode
from amlc.images.fetch_result import FetchError, Picture
from amlc.images.settings import PictureSettings
from amlc.pricing.catalog_settings import CatalogSettings
from amlc.pricing.estimates import (
    NO_TEXT,
    Contribution,
    Estimate,
    Product,
    Reason,
    ReasonKind,
    SimilarProduct,
)
from tests.helpers.pictures import jpeg

PICTURES = PictureSettings(
    size=64, quality=90, max_bytes=20_000_000, max_pixels=1_000_000, max_side=65_535, min_side=8
)
TITLES = ("Green Tea, 20 Bags (Pack of 6)", "Black Tea, 100 Bags", "Mint Tea <b>loose</b>, 1 lb")


def price_of(product: Product) -> float:
    """Return the price that the pricer gives a product, from 1 to 100; its picture counts."""
    seed = product.text.encode(errors="replace") + (
        product.picture if isinstance(product.picture, bytes) else b""
    )
    return 1 + zlib.crc32(seed) % 9_900 / 100


class FakePricer:
    """Prices at once, by `price_of`; a test can make it wait or fail.

    Attributes
    ----------
    gate : threading.Event
        Cleared, it makes every call wait until it is set.
    started : threading.Semaphore
        Released whenever a call starts.
    sizes : list of int
        The number of products of each call.
    products : list of Product
        All products.
    """

    version = "0123456789ab"
    coverage = 0.8
    picture = PICTURES

    def __init__(
        self,
        columns: ColumnMap = COMPETITION,
        read: ReadSettings = PLAIN,
        rates: dict[str, float] | None = None,
    ) -> None:
        self.catalog = CatalogSettings(
            columns=columns, max_bytes=10**9, max_text=100_000, rates=rates or {}, read=read
        )
        self.category_values = dict.fromkeys(columns.categories, ("Yogi", "Olio"))
        self.products: list[Product] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Semaphore(0)
        self.sizes: list[int] = []

    def deep_seconds(self) -> dict[str, float]:
        """Return that there are no pretrained encoders."""
        return {}

    def price(
        self, products: Sequence[Product], *, similar: int = 0, contributions: bool = False
    ) -> list[Estimate]:
        """Price products; the text "poison" raises an error."""
        self.started.release()
        self.gate.wait(30)
        self.sizes.append(len(products))
        self.products += products
        if any(product.text == "poison" for product in products):
            raise RuntimeError("secret text of a product")
        return [_estimate(product, similar, contributions) for product in products]


def _estimate(product: Product, similar: int, contributions: bool) -> Estimate:  # noqa: FBT001 - as the pricer's own argument
    price = price_of(product)
    reasons = tuple(_reasons(product))
    parts = (Contribution("picture", 1.04), Contribution("description", 0.87))
    return Estimate(
        price,
        price * 0.6,
        price * 1.7,
        reasons,
        tuple(_similar(number) for number in range(min(similar, len(TITLES)))),
        parts if contributions else (),
    )


def _reasons(product: Product) -> Iterator[Reason]:
    if not product.text.strip():
        yield NO_TEXT
    if isinstance(product.picture, Reason):
        yield product.picture
        return
    if product.picture is None or isinstance(product.picture, Picture):
        return
    assert isinstance(product.picture, bytes)
    try:
        decode(product.picture, PICTURES)
    except FetchError as error:
        yield Reason(ReasonKind.PICTURE_NOT_USED, error.reason)


def _similar(number: int) -> SimilarProduct:
    return SimilarProduct(
        sample_id=str(number),
        title=TITLES[number],
        image_link=f"https://m.media-amazon.com/images/I/{number}.jpg",
        price=10.0 * (number + 1),
        similarity=0.9 - 0.2 * number,
        picture=None if number == 1 else jpeg(number),
        fields=(("brand", "Yogi"),),
    )
