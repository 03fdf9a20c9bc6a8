"""The tabular block: numbers, categories and keys parsed from the catalogue text."""

import json
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from amlc.arrays import Floats, Floats32, Objects
from amlc.catalog.content import Content, normalised_title, parse_content
from amlc.catalog.quantities import parse_quantity
from amlc.catalog.units import UNIT_KINDS, UNIT_NAMES, find_unit
from amlc.errors import DataError, read_errors_as
from amlc.execution.backend import Backend, in_order, open_pool
from amlc.features.block import in_chunks
from amlc.features.block_names import CATEGORICAL, HIGH_CARDINALITY, NUMERIC
from amlc.features.blocks import Tabular
from amlc.features.own_columns import OwnColumns
from amlc.files import write_json
from amlc.params import Settings

# Numeric columns, without their prefix.
NUMBER_NAMES = (
    "log_value",
    "log_mass",
    "log_volume",
    "log_pieces",
    "log_title_mass",
    "log_title_volume",
    "log_title_pieces",
    "log_packs",
    "log_total",
    "log_total_per_pack",
    "no_value",
    "title_chars",
    "title_words",
    "bullets",
    "bullet_chars",
    "description_chars",
    "log_numbers",
    "digit_share",
    "upper_share",
    "non_ascii_share",
    "html_tags",
)
_LEVELS = {f"{CATEGORICAL}kind": tuple(UNIT_KINDS), f"{CATEGORICAL}unit": tuple(UNIT_NAMES)}
_CODES = [{level: code for code, level in enumerate(levels)} for levels in _LEVELS.values()]
# For each of these numbers, that many leading words of a title are a key.
_LEADING = (1, 2, 3)
_KEYS = (f"{HIGH_CARDINALITY}brand", *(f"{HIGH_CARDINALITY}first_{count}" for count in _LEADING))

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|&[a-z]{2,6};|&#\d{2,5};")
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_DIGITS = string.digits.encode()
# Maps every byte that is not part of a number to a space.
_NUMBERS_ONLY = bytes(byte if byte in _DIGITS + b"." else ord(" ") for byte in range(256))


# Rows that are transformed together.
PIECE_ROWS = 4096


class TabularSettings(Settings):
    """Section `tabular` of params.yaml."""

    brand_min_rows: int = Field(ge=1, le=1_000_000)
    brand_share: float = Field(gt=0, le=1)
    max_levels: int = Field(ge=0, le=1000)


class BrandGuesser:
    """Guess a brand from the leading words that train titles share.

    A brand starts with a title's first word. It extends to the next word if a given share of the
    train titles that begin with the words so far continue with it.

    Parameters
    ----------
    min_rows : int
        Minimum number of train titles that begin with the words of a brand.
    share : float
        Minimum share of those titles that continue with the next word.

    Attributes
    ----------
    prefixes : frozenset of str
        Fitted: the leading words that are a brand or the beginning of one.
    max_words : int
        Maximum number of words in a brand.
    """

    max_words = 4

    def __init__(self, min_rows: int, share: float) -> None:
        self.min_rows = min_rows
        self.share = share
        self.prefixes: frozenset[str] = frozenset()

    def fit(self, titles: Iterable[str]) -> Self:
        """Learn the shared leading words of normalised train titles."""
        counts = Counter(prefix for title in titles for prefix in self._prefixes(title))
        self.prefixes = frozenset(
            prefix for prefix, count in counts.items() if self._is_shared(prefix, count, counts)
        )
        return self

    def guess(self, title: str) -> str:
        """Return the brand in a normalised title, or an empty text."""
        brand = ""
        for prefix in self._prefixes(title):
            if prefix not in self.prefixes:
                break
            brand = prefix
        return brand

    def _is_shared(self, prefix: str, count: int, counts: Counter[str]) -> bool:
        shorter = prefix.rpartition(" ")[0]
        return count >= self.min_rows and (not shorter or count >= self.share * counts[shorter])

    def _prefixes(self, title: str) -> Iterator[str]:
        words = title.split(" ", self.max_words)[: self.max_words]
        for length in range(1, len(words) + 1):
            yield " ".join(words[:length])


def min_max_scaled(columns: Floats, low: Floats, high: Floats) -> Floats32:
    """Scale columns so that their lowest and highest train values become 0 and 1; clip the rest.

    The result is that of scikit-learn's ``MinMaxScaler(clip=True)``, but predictions need not
    import scikit-learn.

    Parameters
    ----------
    columns : ndarray of float64, shape (n, columns)
        Any rows.
    low, high : ndarray of float64, shape (columns,)
        The smallest and the largest train value of each column; a constant column becomes 0.
    """
    span = high - low
    scale = 1 / np.where(span > 10 * np.finfo(np.float64).eps, span, 1)
    return np.clip(columns * scale - low * scale, 0, 1).astype(np.float32)


class TabularFeatures:
    """Turn catalogue texts, and columns of the user's own, into the tabular block.

    Numeric columns are scaled to [0, 1] over the train rows. Categories are fixed. Key columns
    remain text, because their target encoding has to be fitted inside the folds.

    Parameters
    ----------
    settings : TabularSettings
        How to guess brands.
    """

    def __init__(self, settings: TabularSettings) -> None:
        self.settings = settings
        self.brands = BrandGuesser(settings.brand_min_rows, settings.brand_share)
        self.low, self.high = np.zeros(len(NUMBER_NAMES)), np.ones(len(NUMBER_NAMES))
        self.own = OwnColumns(settings.max_levels)

    def fit(self, texts: Iterable[str], own: pd.DataFrame | None = None) -> Self:
        """Learn brands, ranges and categories from the train rows.

        Parameters
        ----------
        texts : iterable of str
            Their texts; a few thousand are in memory at a time.
        own : DataFrame, optional
            Their columns of `amlc.catalog.products.own_columns`.

        Raises
        ------
        DataError
            There is no text.
        """
        lows, highs = [], []

        def titles() -> Iterator[str]:
            for chunk in in_chunks(texts, PIECE_ROWS):
                contents = [parse_content(text) for text in chunk]
                numbers = _numbers(contents)
                lows.append(numbers.min(axis=0))
                highs.append(numbers.max(axis=0))
                yield from (normalised_title(content.title) for content in contents)

        self.brands.fit(titles())
        if not lows:
            raise DataError("the tabular block needs at least one train row")
        self.low, self.high = np.min(lows, axis=0), np.max(highs, axis=0)
        self.own = OwnColumns(self.settings.max_levels)
        if own is not None:
            self.own.fit(own)
        return self

    def transform(self, texts: Sequence[str] | Objects, own: pd.DataFrame | None = None) -> Tabular:
        """Return the tabular block of texts and own columns, one row per text.

        Parameters
        ----------
        texts : sequence of str, length n
            Catalogue texts.
        own : DataFrame, optional
            Their columns of `amlc.catalog.products.own_columns`.
        """
        return self.transform_parsed([parse_content(text) for text in texts], own)

    def transform_parts(
        self,
        parts: Iterable[tuple[Sequence[str] | Objects, pd.DataFrame | None]],
        backend: Backend,
    ) -> Iterator[Tabular]:
        """Yield what `transform` returns, for some of the rows after the others.

        Parameters
        ----------
        parts : iterable of (sequence of str, DataFrame or None)
            Texts and own columns as for `transform`, at least one; those under way are in memory.
        backend : Backend
            Where pieces of the rows are transformed, which does not change the result.
        """
        with open_pool(backend, self, at_once=None, unit="batch of texts") as pool:
            yield from in_order(pool, _transform, _pieces(parts))

    def transform_parsed(
        self, contents: Sequence[Content], own: pd.DataFrame | None = None
    ) -> Tabular:
        """Return the tabular block of parsed texts and own columns, one row per text.

        Own columns that are not there are missing in every row.
        """
        columns = self.own.transform(own, len(contents))
        numbers = min_max_scaled(_numbers(contents), self.low, self.high)
        return Tabular(
            np.concatenate([numbers, columns.numbers], axis=1),
            np.concatenate([_codes(contents), columns.codes], axis=1),
            np.concatenate([self._keys(contents), columns.keys], axis=1),
            (*(NUMERIC + name for name in NUMBER_NAMES), *columns.number_names),
            (*_KEYS, *columns.key_names),
            {**_LEVELS, **columns.levels},
        )

    def _keys(self, contents: Sequence[Content]) -> Objects:
        rows = []
        for content in contents:
            title = normalised_title(content.title)
            words = title.split(" ", max(_LEADING))
            leading = (" ".join(words[:count]) for count in _LEADING)
            rows.append([self.brands.guess(title), *leading])
        return np.array(rows, dtype=object).reshape(len(contents), len(_KEYS))

    def save(self, path: Path) -> None:
        """Write the fitted state as JSON."""
        state = {
            "settings": self.settings.model_dump(),
            "brands": sorted(self.brands.prefixes),
            "columns": list(NUMBER_NAMES),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "own": self.own.state(),
        }
        write_json(path, state)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            The file is missing or malformed, or was written by a version with other columns.
        """
        with read_errors_as(DataError, f"{path}: cannot be read", remedy="run the stage tabular"):
            state = json.loads(path.read_text(encoding="utf-8"))
            columns = tuple(state["columns"])
            features = cls(TabularSettings(**state["settings"]))
            features.brands.prefixes = frozenset(state["brands"])
            features.low, features.high = np.array(state["low"]), np.array(state["high"])
            features.own = OwnColumns.from_state(features.settings.max_levels, state["own"])
            lengths = {len(features.low), len(features.high), len(columns)}
        if columns != NUMBER_NAMES or lengths != {len(NUMBER_NAMES)}:
            raise DataError(f"{path}: written by a version with other columns; refit")
        return features


def _pieces(
    parts: Iterable[tuple[Sequence[str] | Objects, pd.DataFrame | None]],
) -> Iterator[tuple[list[str], pd.DataFrame | None]]:
    for texts, own in parts:
        for start in range(0, len(texts), PIECE_ROWS):
            rows = slice(start, start + PIECE_ROWS)
            yield list(texts[rows]), None if own is None else own[rows]


def _transform(features: TabularFeatures, piece: tuple[list[str], pd.DataFrame | None]) -> Tabular:
    texts, own = piece
    return features.transform(texts, own)


def _codes(contents: Sequence[Content]) -> NDArray[np.int16]:
    kinds, names = _CODES
    units = [find_unit(content.unit) for content in contents]
    rows = [(kinds[unit.kind], names[unit.name]) for unit in units]
    return np.array(rows, dtype=np.int16).reshape(len(contents), len(_LEVELS))


def _numbers(contents: Sequence[Content]) -> Floats:
    rows = [(*_amounts(content), *_statistics(content)) for content in contents]
    return np.array(rows, dtype=np.float64).reshape(len(contents), len(NUMBER_NAMES))


def _amounts(content: Content) -> tuple[float, ...]:
    value = content.value or 0.0
    unit = find_unit(content.unit)
    measured = {unit.kind: value * unit.factor}
    stated = parse_quantity(content.title)
    packs = max(stated.packs, 1.0)
    # The value may be the amount of one pack or of all packs; the larger amount is the total.
    by_title = max(stated.mass, stated.volume) * packs
    total = max(measured.get("mass", 0.0), measured.get("volume", 0.0), by_title)
    amounts = (
        value,
        measured.get("mass", 0.0),
        measured.get("volume", 0.0),
        measured.get("count", 0.0),
        stated.mass,
        stated.volume,
        stated.pieces,
        stated.packs,
        total,
        total / packs,
    )
    return (*(math.log1p(amount) for amount in amounts), float(content.value is None))


def _statistics(content: Content) -> tuple[float, ...]:
    bullets = "\n".join(content.bullets)
    everything = f"{content.title}\n{bullets}\n{content.description}"
    size = max(len(everything), 1)
    return (
        math.log1p(len(content.title)),
        math.log1p(len(content.title.split())),
        float(min(len(content.bullets), 20)),
        math.log1p(len(bullets)),
        math.log1p(len(content.description)),
        math.log1p(count_numbers(everything)),
        count_digits(everything) / size,
        count_uppercase(content.title) / max(count_letters(content.title), 1),
        (len(everything) - len(_ascii(everything))) / size,
        math.log1p(_count_tags(everything)),
    )


def count_numbers(text: str) -> int:
    """Return the number of decimal numbers of ASCII digits in a text."""
    # It is faster to search only what is left by the translation, as few characters are digits.
    candidates = text.encode(errors="replace").translate(_NUMBERS_ONLY).split()
    return len(_NUMBER.findall(b" ".join(candidates)))


def count_digits(text: str) -> int:
    """Return the number of characters that are digits, of any script."""
    return _count(text, _DIGITS, str.isdigit)


def count_letters(text: str) -> int:
    """Return the number of characters that are letters, of any script."""
    return _count(text, string.ascii_letters.encode(), str.isalpha)


def count_uppercase(text: str) -> int:
    """Return the number of characters that are upper-case letters, of any script."""
    return _count(text, string.ascii_uppercase.encode(), str.isupper)


def _count(text: str, ascii_characters: bytes, test: Callable[[str], bool]) -> int:
    """Return the number of characters that pass a test, given the ASCII characters that pass it."""
    plain = _ascii(text)
    count = len(plain) - len(plain.translate(None, ascii_characters))
    if len(plain) < len(text):
        count += sum(map(test, _NOT_ASCII.findall(text)))
    return count


def _count_tags(text: str) -> int:
    return len(_TAG.findall(text)) if "<" in text or "&" in text else 0


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "ignore")
