"""Prices of new products from a bundle: the same that the pipeline gives its test rows."""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from amlc.arrays import Floats
from amlc.catalog.content import parse_content, without_parts
from amlc.features.blocks import NO_NEIGHBOUR, Blocks, Neighbours
from amlc.features.text.topics import project
from amlc.features.vision.block import describe
from amlc.images.decode import decode
from amlc.images.fetch_result import TOO_MANY_BYTES, FetchError, Retry
from amlc.pricing.answers import Answer, Contribution, Question, Similar
from amlc.pricing.bundle import Bundle, PictureSettings

# Products that go through the models together.
ROWS_AT_ONCE = 512
# A product as it is and without each of its parts, at most.
VARIANTS = 8
# A sum over members rounds differently for another number of rows, so the blend sees so many.
BLOCK = 16
NO_TEXT, NO_PICTURE = "no text", "no picture"
PICTURE, NEIGHBOURS = "picture", "similar products"


@dataclass(frozen=True)
class Prepared:
    """A product, checked and cut to what the models may see.

    Parameters
    ----------
    text : str
        Empty where there is none.
    picture : bytes, optional
        A JPEG file as the image shards hold it; None for none.
    reasons : tuple of str
        What was missing or faulty.
    """

    text: str
    picture: bytes | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Variant:
    """A product to price, whole or without a part."""

    text: str
    picture: bytes | None
    part: str = ""


class BundlePricer:
    """Prices products from a bundle; safe to call from several threads.

    Parameters
    ----------
    bundle : Bundle
        See there.

    Attributes
    ----------
    version, coverage : str, float
        See `amlc.pricing.answers.Pricer`.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.version = bundle.version
        self.coverage = bundle.coverage
        self._needed = {name for model in bundle.models.values() for name in model.settings.blocks}
        self._threads = ThreadpoolController()
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="picture")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load a bundle whose files are what its manifest says.

        Raises
        ------
        ModelError
            See `Bundle.load`.
        """
        return cls(Bundle.load(folder))

    def price(
        self, questions: Sequence[Question], *, similar: int = 0, contributions: bool = False
    ) -> list[Answer]:
        """Price some products, in their order; see `amlc.pricing.answers.Pricer`."""
        # A thread takes longer to be told than a text to be checked.
        each = self._pool.map if any(one.picture for one in questions) else map
        prepared = list(each(self.prepare, questions))
        return self.price_prepared(prepared, similar=similar, contributions=contributions)

    def prepare(self, question: Question) -> Prepared:
        """Check a product's text and picture; what is no good is left out, with a reason."""
        text, reasons = self.prepare_text(question.text)
        picture = None
        if question.picture is None:
            reasons.append(NO_PICTURE)
        else:
            try:
                picture = reduced(question.picture, self.bundle.picture)
            except FetchError as fault:
                reasons.append(f"picture not used: {fault.reason}")
        return Prepared(text, picture, tuple(reasons))

    def prepare_text(self, text: str) -> tuple[str, list[str]]:
        """Return a text as the models may see it, and what was wrong with it."""
        limit = self.bundle.text.max_text
        if not text.strip():
            return "", [NO_TEXT]
        if len(text) > limit:
            return text[:limit], [f"text cut after {limit:,} characters"]
        return text, []

    def price_prepared(
        self, products: Sequence[Prepared], *, similar: int = 0, contributions: bool = False
    ) -> list[Answer]:
        """Price products whose pictures are as the image shards hold them."""
        answers: list[Answer] = []
        # A product and its variants are as many rows.
        step = ROWS_AT_ONCE // VARIANTS if contributions else ROWS_AT_ONCE
        for start in range(0, len(products), step):
            some = products[start : start + step]
            answers += self._answers(some, similar=similar, contributions=contributions)
        return answers

    def _answers(
        self, products: Sequence[Prepared], *, similar: int, contributions: bool
    ) -> list[Answer]:
        variants = [
            list(_variants(product)) if contributions else [_Variant(product.text, product.picture)]
            for product in products
        ]
        blocks = self._blocks([variant for some in variants for variant in some])
        prices = self._prices(blocks)
        answers, start = [], 0
        for product, some in zip(products, variants, strict=True):
            price, low, high = prices[start].tolist()
            without = prices[start + 1 : start + len(some), 0].tolist()
            parts = [variant.part for variant in some[1:]]
            answers.append(
                Answer(
                    price,
                    low,
                    high,
                    product.reasons,
                    self._similar(blocks, start, similar),
                    _contributions(price, parts, without),
                )
            )
            start += len(some)
        return answers

    def _blocks(self, variants: Sequence[_Variant]) -> Blocks:
        """Return the features of some products; what several of them share is computed once."""
        texts = {variant.text: None for variant in variants}
        pictures = {variant.picture: None for variant in variants}
        vision = self._pool.submit(describe, list(pictures), self.bundle.vision)
        blocks = self._text_blocks(list(texts))
        if len(texts) < len(variants):
            blocks = blocks.take(_places(texts, [variant.text for variant in variants]))
        neighbours = blocks.neighbours
        assert neighbours is not None
        alone = np.array([variant.part == NEIGHBOURS for variant in variants])
        return replace(
            blocks,
            neighbours=_without(neighbours, alone) if alone.any() else neighbours,
            vision=vision.result()[_places(pictures, [variant.picture for variant in variants])],
        )

    def _text_blocks(self, texts: list[str]) -> Blocks:
        bundle = self.bundle
        contents = [parse_content(text) for text in texts]
        terms = bundle.terms.transform(texts, [content.title for content in contents])
        topics = project(terms, bundle.topics) if "topics" in self._needed else None
        neighbours = bundle.index.nearest(terms, bundle.neighbours.n_neighbors)
        return Blocks(bundle.tabular.transform_parsed(contents), terms, topics, None, neighbours)

    def _prices(self, blocks: Blocks) -> Floats:
        """Return price, low and high limit of each product."""
        rows, blend = len(blocks), self.bundle.blend
        # What has no weight is in no bundle; any number does in its place.
        members = np.zeros((rows + -rows % BLOCK, len(blend.weights)))
        # Threads of a library's own cost more than they bring for a few rows.
        with self._threads.limit(limits=1):
            for column, name in enumerate(blend.weights):
                if name in self.bundle.models:
                    members[:rows, column] = self.bundle.models[name].predict(blocks)
        logs = [blend.predict(members[at : at + BLOCK]) for at in range(0, len(members), BLOCK)]
        return np.asarray(np.exp(np.concatenate(logs)[:rows]))

    def _similar(self, blocks: Blocks, row: int, count: int) -> tuple[Similar, ...]:
        assert blocks.neighbours is not None
        groups = len(self.bundle.terms.vocabularies)
        numbers = blocks.neighbours.rows[row, :count].tolist()
        found = zip(numbers, blocks.neighbours.similarity[row].tolist(), strict=False)
        return tuple(
            # Rounding can make a product a little more similar to itself than one.
            self.bundle.catalogue.similar(number, min(similarity / groups, 1.0))
            for number, similarity in found
            if number != NO_NEIGHBOUR
        )


def reduced(body: bytes, limits: PictureSettings) -> bytes:
    """Return a picture as the pipeline would keep it: checked, turned, small, a JPEG.

    Raises
    ------
    FetchError
        It is too large or no good picture.
    """
    if len(body) > limits.max_bytes:
        raise FetchError(TOO_MANY_BYTES, Retry.AFTER_EXPIRY)
    return decode(body, size=limits.size, quality=limits.quality, max_pixels=limits.max_pixels).data


def _variants(product: Prepared) -> Iterator[_Variant]:
    """Yield a product as it is, then without each part that it has."""
    yield _Variant(product.text, product.picture)
    for part, text in without_parts(product.text):
        yield _Variant(text, product.picture, part)
    if product.picture is not None:
        yield _Variant(product.text, None, PICTURE)
    yield _Variant(product.text, product.picture, NEIGHBOURS)


def _contributions(
    price: float, parts: Sequence[str], without: Sequence[float]
) -> tuple[Contribution, ...]:
    """Return what each part does to the price, the largest effect first."""
    found = [Contribution(part, price / other) for part, other in zip(parts, without, strict=True)]
    return tuple(sorted(found, key=lambda one: -abs(math.log(one.factor))))


def _places(keys: dict[Any, None], wanted: Sequence[Any]) -> NDArray[np.intp]:
    numbers = dict(zip(keys, range(len(keys)), strict=True))
    return np.array([numbers[key] for key in wanted], dtype=np.intp)


def _without(neighbours: Neighbours, rows: NDArray[np.bool_]) -> Neighbours:
    """Return the neighbours, some products left without any."""
    return Neighbours(
        np.where(rows[:, None], np.int32(NO_NEIGHBOUR), neighbours.rows),
        np.where(rows[:, None], np.float32(0), neighbours.similarity),
        neighbours.position,
    )
