"""Prices of new products from a bundle, equal to those that the pipeline gives its test rows."""

import math
import os
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from PIL import Image
from threadpoolctl import ThreadpoolController

from amlc.arrays import Bools, Floats, Rows
from amlc.catalog.content import is_missing, parse_content, without_parts
from amlc.catalog.own_columns import parse_own
from amlc.catalog.products import CATEGORY
from amlc.errors import ModelError
from amlc.features.blocks import Blocks, Dense
from amlc.features.content import Content
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours
from amlc.features.pooling import pool
from amlc.features.text.topics import project
from amlc.features.vision.block import describe
from amlc.images.decode import GREY, decode, encode_jpeg
from amlc.images.fetch_result import FetchError, Picture
from amlc.pricing.bundle import Bundle
from amlc.pricing.encoders import TYPICAL_TEXT
from amlc.pricing.estimates import (
    NO_TEXT,
    Contribution,
    Estimate,
    Product,
    ProductPicture,
    Reason,
    ReasonKind,
    SimilarProduct,
)

# Rows that go through the models together.
MAX_ROWS = 512
# A product as it is and without each of its parts makes at most this many rows.
MAX_VARIANTS = 8
# The blend is computed on blocks of this many rows, because the rounding of a sum over the models
# depends on the number of rows.
BLEND_ROWS = 16
PICTURE, NEIGHBOURS = "picture", "similar products"


@dataclass(frozen=True)
class _Row:
    """A checked product, or what is left of it without one of its parts.

    Parameters
    ----------
    text : str
        At most as long as the models allow; empty where there is none.
    picture : bytes, optional
        A JPEG file as the image shards hold it.
    reasons : tuple of Reason
        What was missing or unusable.
    without : str
        The part that is left out, to see what it contributes; empty for the whole product.
    own, currency : tuple of (str, str), str
        As of a `Product`.
    further : tuple of bytes
        Its other pictures that can be used.
    """

    text: str
    picture: bytes | None
    reasons: tuple[Reason, ...] = ()
    without: str = ""
    own: tuple[tuple[str, str], ...] = ()
    currency: str = ""
    further: tuple[bytes, ...] = ()

    @property
    def pictures(self) -> tuple[bytes | None, ...]:
        """All pictures; None if there is none."""
        return (self.picture, *self.further)


class BundlePricer:
    """Prices products from a bundle; safe to call from several threads.

    Parameters
    ----------
    bundle : Bundle
        The fitted encoders, models and train products.
    threads : int, optional
        Pictures to check at once; by default one for each core.

    Attributes
    ----------
    version, coverage : str, float
    catalog, picture : CatalogSettings, PictureSettings
        As in `amlc.pricing.estimates.Pricer`.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self.version = bundle.version
        self.coverage = bundle.coverage
        self.catalog = bundle.catalog
        self.picture = bundle.picture
        self._topics = any("topics" in model.settings.blocks for model in bundle.models.values())
        self._threads = ThreadpoolController()
        self._pool = ThreadPoolExecutor(
            threads or os.cpu_count() or 1, thread_name_prefix="picture"
        )

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
        rows = self._checked(products)
        step = MAX_ROWS // MAX_VARIANTS if contributions else MAX_ROWS
        estimates: list[Estimate] = []
        for start in range(0, len(rows), step):
            batch = rows[start : start + step]
            estimates += self._estimates(batch, similar=similar, contributions=contributions)
        return estimates

    def blocks(self, products: Sequence[Product], *, topics: bool = True) -> Blocks:
        """Return the features of products, one row each.

        Parameters
        ----------
        products : sequence of Product
            The products.
        topics : bool
            Whether to compute the block of topics, which not every model reads.
        """
        return self._blocks(self._checked(products), topics=topics)

    @property
    def category_values(self) -> dict[str, tuple[str, ...]]:
        """The frequent values of each category, by its column."""
        levels = self.bundle.tabular.own.levels
        return {name.removeprefix(CATEGORY): values for name, values in levels.items()}

    def deep_seconds(self) -> dict[str, float]:
        """Return how long pretrained encoders and fine-tuned models take for one product."""
        grey = self._check_picture(encode_jpeg(Image.new("RGB", (256, 256), GREY), quality=90))
        if not isinstance(grey, bytes):
            return {}
        seconds = self.bundle.encoders.seconds(grey)
        for name, model in self.bundle.models.items():
            if model.needs_content:
                blocks = self.blocks([Product(TYPICAL_TEXT, grey)])
                # The first call also allocates memory.
                model.predict(blocks)
                started = time.perf_counter()
                model.predict(blocks)
                seconds[name] = time.perf_counter() - started
        return seconds

    def _checked(self, products: Sequence[Product]) -> list["_Row"]:
        # Handing a text to a thread takes longer than checking it.
        unchecked = any(
            isinstance(picture, bytes | Path)
            for product in products
            for picture in (product.picture, *product.further_pictures)
        )
        return list((self._pool.map if unchecked else map)(self._check, products))

    def _check(self, product: Product) -> "_Row":
        """Check a product's text and picture; what cannot be used is left out, with a reason."""
        text, limit, reasons = product.text, self.bundle.catalog.max_text, []
        if is_missing(text):
            text = ""
            reasons.append(NO_TEXT)
        elif len(text) > limit:
            text = text[:limit]
            reasons.append(Reason(ReasonKind.TEXT_CUT, f"{limit:,}"))
        picture = self._check_picture(product.picture)
        if isinstance(picture, Reason):
            reasons.append(picture)
            picture = None
        others = [self._check_picture(each) for each in product.further_pictures]
        reasons += [each for each in others if isinstance(each, Reason)]
        further = tuple(each for each in others if isinstance(each, bytes))
        # Several pictures may be missing for the same reason.
        distinct = tuple(dict.fromkeys(reasons))
        return _Row(text, picture, distinct, "", product.own, product.currency, further)

    def _check_picture(self, picture: ProductPicture) -> bytes | Reason | None:
        """Return a picture as a JPEG like those of the image shards, or why it cannot be used."""
        limits = self.bundle.picture
        source = str(picture) if isinstance(picture, Path) else "a picture"
        try:
            if isinstance(picture, Path):
                with picture.open("rb") as stream:
                    # One byte more than allowed is enough to see that a file is too large.
                    picture = stream.read(limits.max_bytes + 1)
            if isinstance(picture, bytes):
                picture = decode(picture, limits, source)
        except FetchError as error:
            return Reason(ReasonKind.PICTURE_NOT_USED, error.reason)
        except OSError as error:
            return Reason(ReasonKind.PICTURE_NOT_USED, str(error.strerror))
        return picture.data if isinstance(picture, Picture) else picture

    def _blocks(self, rows: Sequence["_Row"], *, topics: bool) -> Blocks:
        """Return the features of rows; a text or picture that they share is computed once."""
        texts = {(row.text, row.own): None for row in rows}
        pictures = {picture: None for row in rows for picture in row.pictures}
        vision = self._pool.submit(describe, list(pictures), self.bundle.vision)
        encoded = Blocks(**self.bundle.encoders.picture_blocks(list(pictures)))
        own = self._own([own for _, own in texts])
        blocks = self._text_blocks([text for text, _ in texts], own, topics=topics)
        if len(texts) < len(rows):
            blocks = blocks.take(_positions(texts, [(row.text, row.own) for row in rows]))
        assert blocks.neighbours is not None
        neighbours = blocks.neighbours.loaded()
        hidden = np.array([row.without == NEIGHBOURS for row in rows])
        positions = {picture: position for position, picture in enumerate(pictures)}
        picture_rows = [[positions[each] for each in row.pictures] for row in rows]
        return blocks.assign(
            neighbours=NeighbourBlock(_without_neighbours(neighbours, hidden)),
            vision=_pooled(vision.result(), picture_rows),
            content=Content.of_files((row.text for row in rows), (row.pictures for row in rows)),
            **{name: _pooled(dense, picture_rows) for name, dense in encoded.dense.items()},
        )

    def _estimates(
        self, rows: Sequence["_Row"], *, similar: int, contributions: bool
    ) -> Iterator[Estimate]:
        groups = [list(_variants(row)) if contributions else [row] for row in rows]
        blocks = self._blocks([row for group in groups for row in group], topics=self._topics)
        prices = self._prices(blocks)
        start = 0
        for whole, *reduced in groups:
            rate = self.bundle.catalog.rates.get(whole.currency, 1.0)
            price, low, high = (prices[start] / rate).tolist()
            end = start + 1 + len(reduced)
            factors = [
                Contribution(row.without, float(prices[start, 0]) / other)
                for row, other in zip(reduced, prices[start + 1 : end, 0].tolist(), strict=True)
            ]
            # The largest effect first.
            factors.sort(key=lambda each: -abs(math.log(each.factor)))
            similar_products = self._similar(blocks, start, similar, rate)
            yield Estimate(price, low, high, whole.reasons, similar_products, tuple(factors))
            start = end

    def _own(self, rows: Sequence[tuple[tuple[str, str], ...]]) -> pd.DataFrame | None:
        """Return the own columns of rows; None where the models know none."""
        names = self.bundle.tabular.own.names
        if not names:
            return None
        cells = [dict(row) for row in rows]
        by_name = {name: [row.get(name, "") for row in cells] for name in names}
        return parse_own(by_name, self.bundle.catalog.read)

    def _text_blocks(self, texts: list[str], own: pd.DataFrame | None, *, topics: bool) -> Blocks:
        bundle = self.bundle
        contents = [parse_content(text) for text in texts]
        terms = bundle.terms.transform(texts, [content.title for content in contents])
        search = bundle.neighbours
        blocks = Blocks(
            tabular=bundle.tabular.transform_parsed(contents, own),
            terms=terms,
            neighbours=NeighbourBlock(
                bundle.index.nearest(
                    terms.weights, search.n_neighbors, n_compared=search.n_compared
                )
            ),
            **bundle.encoders.text_blocks(contents),
        )
        if topics:
            blocks = blocks.assign(topics=project(terms, bundle.topics))
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
            parts = [blend.log_price(members[start : start + BLEND_ROWS]) for start in starts]
            log_price = np.concatenate(parts)[:rows]
            spread = self.bundle.spread
            scale = None if spread is None else spread.scale(blocks, log_price)
        prices = np.asarray(np.exp(blend.interval(log_price, scale)))
        if not (np.isfinite(prices) & (prices > 0)).all():
            raise ModelError("a price is not positive and finite: the bundle is damaged")
        return prices

    def _similar(
        self, blocks: Blocks, row: int, count: int, rate: float
    ) -> tuple[SimilarProduct, ...]:
        assert blocks.neighbours is not None
        groups = len(self.bundle.terms.vocabularies)
        neighbours = blocks.neighbours.loaded()
        positions = neighbours.rows[row, :count].tolist()
        similarities = neighbours.similarity[row].tolist()
        products = [
            # Rounding can put the similarity of a product to itself a little above one.
            self.bundle.train_products.similar(position, min(similarity / groups, 1.0))
            for position, similarity in zip(positions, similarities, strict=False)
            if position != NO_NEIGHBOUR
        ]
        return tuple(replace(product, price=product.price / rate) for product in products)


def _variants(row: _Row) -> Iterator[_Row]:
    """Yield a product as it is, then without each part that it has."""
    yield row
    for part, text in without_parts(row.text):
        yield replace(row, text=text, without=part)
    if row.picture is not None or row.further:
        yield replace(row, picture=None, further=(), without=PICTURE)
    yield replace(row, without=NEIGHBOURS)


def _pooled(pictures: Dense, rows: Sequence[Sequence[int]]) -> Dense:
    return replace(pictures, table=pool(pictures.array, rows), rows=None)


def _positions(keys: Iterable[Hashable], wanted: Sequence[Hashable]) -> Rows:
    """Return the position of each wanted key among the keys."""
    positions = {key: position for position, key in enumerate(keys)}
    return np.array([positions[key] for key in wanted], dtype=np.intp)


def _without_neighbours(neighbours: Neighbours, rows: Bools) -> Neighbours:
    """Return the neighbours without those of the rows in a mask."""
    if not rows.any():
        return neighbours
    return replace(
        neighbours,
        rows=np.where(rows[:, None], np.int32(NO_NEIGHBOUR), neighbours.rows),
        similarity=np.where(rows[:, None], np.float32(0), neighbours.similarity),
    )
