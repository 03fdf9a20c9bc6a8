"""Prices of new products from a bundle, equal to those that the pipeline gives its test rows."""

import math
import os
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from threadpoolctl import ThreadpoolController

from amlc.arrays import Bools, Floats, Rows
from amlc.catalog.content import parse_content, without_parts
from amlc.features.blocks import NO_NEIGHBOUR, Blocks, Neighbours
from amlc.features.text.topics import project
from amlc.features.vision.block import describe
from amlc.images.decode import decode
from amlc.images.fetch_result import TOO_MANY_BYTES, FetchError, Retry
from amlc.pricing.bundle import Bundle, PictureSettings
from amlc.pricing.estimates import Contribution, Estimate, Product, SimilarProduct

# Rows that go through the models together.
MAX_ROWS = 512
# A product as it is and without each of its parts makes at most this many rows.
MAX_VARIANTS = 8
# The blend is computed on blocks of this many rows, because the rounding of a sum over the models
# depends on the number of rows.
BLEND_ROWS = 16
NO_TEXT, NO_PICTURE = "no text", "no picture"
PICTURE, NEIGHBOURS = "picture", "similar products"


@dataclass(frozen=True)
class CheckedProduct:
    """A product whose text and picture are in the form that the models were trained on.

    Parameters
    ----------
    text : str
        At most as long as the models allow; empty where there is none.
    picture : bytes, optional
        A JPEG file as the image shards hold it; None where there is none.
    reasons : tuple of str
        What was missing or unusable.
    without : str
        The part that is left out to see what it contributes; empty for the whole product.
    """

    text: str
    picture: bytes | None
    reasons: tuple[str, ...] = ()
    without: str = ""


class BundlePricer:
    """Prices products from a bundle; safe to call from several threads.

    Parameters
    ----------
    bundle : Bundle
        The fitted encoders, models and train products.

    Attributes
    ----------
    version, coverage : str, float
        As in `amlc.pricing.estimates.Pricer`.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.version = bundle.version
        self.coverage = bundle.coverage
        self._topics = any("topics" in model.settings.blocks for model in bundle.models.values())
        self._threads = ThreadpoolController()
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="picture")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load a bundle after checking its files against its manifest.

        Raises
        ------
        ModelError
            The bundle cannot be used, for a reason that `Bundle.load` gives.
        """
        return cls(Bundle.load(folder))

    def price(
        self, products: Sequence[Product], *, similar: int = 0, contributions: bool = False
    ) -> list[Estimate]:
        """Estimate the prices of products, in their order; see `amlc.pricing.estimates.Pricer`."""
        # Handing a text to a thread takes longer than checking it.
        map_products = self._pool.map if any(product.picture for product in products) else map
        checked = list(map_products(self.check, products))
        return self.price_checked(checked, similar=similar, contributions=contributions)

    def check(self, product: Product) -> CheckedProduct:
        """Check a product's text and picture; what cannot be used is left out, with a reason."""
        text, reasons = self.check_text(product.text)
        picture = None
        if product.picture is None:
            reasons.append(NO_PICTURE)
        else:
            try:
                picture = reduce_picture(product.picture, self.bundle.picture)
            except FetchError as error:
                reasons.append(f"picture not used: {error.reason}")
        return CheckedProduct(text, picture, tuple(reasons))

    def check_text(self, text: str) -> tuple[str, list[str]]:
        """Return a text at most as long as the models allow, and what was wrong with it."""
        limit = self.bundle.text.max_text
        if not text.strip():
            return "", [NO_TEXT]
        if len(text) > limit:
            return text[:limit], [f"text cut after {limit:,} characters"]
        return text, []

    def price_checked(
        self, products: Sequence[CheckedProduct], *, similar: int = 0, contributions: bool = False
    ) -> list[Estimate]:
        """Estimate the prices of checked products; the parameters are those of `price`."""
        estimates: list[Estimate] = []
        step = MAX_ROWS // MAX_VARIANTS if contributions else MAX_ROWS
        for start in range(0, len(products), step):
            batch = products[start : start + step]
            estimates += self._estimates(batch, similar=similar, contributions=contributions)
        return estimates

    def blocks(self, products: Sequence[CheckedProduct], *, topics: bool = True) -> Blocks:
        """Return the features of products; a shared text or picture is computed once.

        Parameters
        ----------
        products : sequence of CheckedProduct
            The products, one row each.
        topics : bool
            Whether to compute the block of topics, which not every model reads.
        """
        texts = {product.text: None for product in products}
        pictures = {product.picture: None for product in products}
        vision = self._pool.submit(describe, list(pictures), self.bundle.vision)
        blocks = self._text_blocks(list(texts), topics=topics)
        if len(texts) < len(products):
            blocks = blocks.take(_positions(texts, [product.text for product in products]))
        neighbours = blocks.neighbours
        assert neighbours is not None
        hidden = np.array([product.without == NEIGHBOURS for product in products])
        picture_rows = _positions(pictures, [product.picture for product in products])
        return blocks.assign(
            neighbours=_without_neighbours(neighbours, hidden) if hidden.any() else neighbours,
            vision=vision.result().take(picture_rows),
        )

    def _estimates(
        self, products: Sequence[CheckedProduct], *, similar: int, contributions: bool
    ) -> list[Estimate]:
        variants = [
            list(_variants(product)) if contributions else [product] for product in products
        ]
        rows = [variant for each in variants for variant in each]
        blocks = self.blocks(rows, topics=self._topics)
        prices = self._prices(blocks)
        estimates, row = [], 0
        for product, (_, *reduced) in zip(products, variants, strict=True):
            price, low, high = prices[row].tolist()
            without = prices[row + 1 : row + 1 + len(reduced), 0].tolist()
            parts = [variant.without for variant in reduced]
            estimates.append(
                Estimate(
                    price,
                    low,
                    high,
                    product.reasons,
                    self._similar(blocks, row, similar),
                    _contributions(price, parts, without),
                )
            )
            row += 1 + len(reduced)
        return estimates

    def _text_blocks(self, texts: list[str], *, topics: bool) -> Blocks:
        bundle = self.bundle
        contents = [parse_content(text) for text in texts]
        terms = bundle.terms.transform(texts, [content.title for content in contents])
        blocks = Blocks(
            tabular=bundle.tabular.transform_parsed(contents),
            terms=terms,
            neighbours=bundle.index.nearest(terms.weights, bundle.neighbours.n_neighbors),
        )
        if topics:
            blocks = blocks.assign(topics=project(terms.weights, bundle.topics))
        return blocks

    def _prices(self, blocks: Blocks) -> Floats:
        """Return price, low and high limit of each product, shape (n, 3)."""
        rows, blend = len(blocks), self.bundle.blend
        # A model without weight is not in the bundle; its column stays 0.
        members = np.zeros((rows + -rows % BLEND_ROWS, len(blend.weights)))
        # The libraries' own threads cost more than they gain for a few rows.
        with self._threads.limit(limits=1):
            for column, name in enumerate(blend.weights):
                if name in self.bundle.models:
                    members[:rows, column] = self.bundle.models[name].predict(blocks)
        starts = range(0, len(members), BLEND_ROWS)
        logs = [blend.predict(members[start : start + BLEND_ROWS]) for start in starts]
        return np.asarray(np.exp(np.concatenate(logs)[:rows]))

    def _similar(self, blocks: Blocks, row: int, count: int) -> tuple[SimilarProduct, ...]:
        assert blocks.neighbours is not None
        groups = len(self.bundle.terms.vocabularies)
        positions = blocks.neighbours.rows[row, :count].tolist()
        similarities = blocks.neighbours.similarity[row].tolist()
        return tuple(
            # Rounding can put the similarity of a product to itself a little above one.
            self.bundle.train_products.similar(position, min(similarity / groups, 1.0))
            for position, similarity in zip(positions, similarities, strict=False)
            if position != NO_NEIGHBOUR
        )


def reduce_picture(body: bytes, limits: PictureSettings) -> bytes:
    """Return a picture as the pipeline would keep it: checked, upright, small, a JPEG.

    Raises
    ------
    FetchError
        It is too large, damaged or not a picture.
    """
    if len(body) > limits.max_bytes:
        raise FetchError(TOO_MANY_BYTES, Retry.AFTER_EXPIRY)
    return decode(body, size=limits.size, quality=limits.quality, max_pixels=limits.max_pixels).data


def _variants(product: CheckedProduct) -> Iterator[CheckedProduct]:
    """Yield a product as it is, then without each part that it has."""
    yield product
    for part, text in without_parts(product.text):
        yield replace(product, text=text, without=part)
    if product.picture is not None:
        yield replace(product, picture=None, without=PICTURE)
    yield replace(product, without=NEIGHBOURS)


def _contributions(
    price: float, parts: Sequence[str], without: Sequence[float]
) -> tuple[Contribution, ...]:
    """Return how much each part moves the price, the largest effect first.

    Parameters
    ----------
    price : float
        The price of the whole product.
    parts : sequence of str
        The parts that the product has.
    without : sequence of float
        The price without each part.
    """
    contributions = [
        Contribution(part, price / other) for part, other in zip(parts, without, strict=True)
    ]
    return tuple(sorted(contributions, key=lambda each: -abs(math.log(each.factor))))


def _positions(keys: Iterable[Hashable], wanted: Sequence[Hashable]) -> Rows:
    """Return the position of each wanted key among the keys."""
    positions = {key: position for position, key in enumerate(keys)}
    return np.array([positions[key] for key in wanted], dtype=np.intp)


def _without_neighbours(neighbours: Neighbours, rows: Bools) -> Neighbours:
    """Return the neighbours without those of the rows in a mask."""
    return replace(
        neighbours,
        rows=np.where(rows[:, None], np.int32(NO_NEIGHBOUR), neighbours.rows),
        similarity=np.where(rows[:, None], np.float32(0), neighbours.similarity),
    )
