"""The tabular block: numbers, categories and keys parsed from the catalogue text."""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from amlc.arrays import Floats, Objects
from amlc.catalog.content import Content, normalised_title, parse_content
from amlc.catalog.quantities import UNIT_KINDS, UNIT_NAMES, find_unit, parse_quantity
from amlc.errors import DataError
from amlc.features.blocks import CATEGORICAL, HIGH_CARDINALITY, NUMERIC, Tabular
from amlc.files import write_json
from amlc.params import Settings

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|&[a-z]{2,6};|&#\d{2,5};")
_NUMBER = re.compile(rb"\d+(?:\.\d+)?")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_DIGITS = string.digits.encode()
# A blank for each byte that no number holds.
_NUMBERS_ONLY = bytes(byte if byte in _DIGITS + b"." else ord(" ") for byte in range(256))
_LEVELS = {f"{CATEGORICAL}kind": tuple(UNIT_KINDS), f"{CATEGORICAL}unit": tuple(UNIT_NAMES)}
_CODES = [dict(zip(levels, range(len(levels)), strict=True)) for levels in _LEVELS.values()]
# Leading words of a title that are keys.
_HEADS = (1, 2, 3)
_KEYS = (f"{HIGH_CARDINALITY}brand", *(f"{HIGH_CARDINALITY}first_{count}" for count in _HEADS))


class TabularSettings(Settings):
    """Section `tabular` of params.yaml."""

    # Leading words are a brand where at least this many train titles begin with them.
    brand_min_rows: int = Field(ge=1, le=1_000_000)
    # The brand goes on with the next word where this share of those titles does.
    brand_share: float = Field(gt=0, le=1)


class BrandGuess:
    """Guess a brand from a title's leading words.

    A brand is the leading words that titles share: it starts with the first word and takes in the
    next one as long as most of the train titles that begin so far go on with it.

    Parameters
    ----------
    min_rows : int
        Fewest train titles that have to begin with the words.
    share : float
        Share of those titles that has to go on with the next word.
    """

    longest = 4

    def __init__(self, min_rows: int, share: float) -> None:
        self.min_rows = min_rows
        self.share = share
        self.prefixes: frozenset[str] = frozenset()

    def fit(self, titles: Iterable[str]) -> Self:
        """Learn which leading words are shared; titles come normalised."""
        counts = Counter(prefix for title in titles for prefix in self._prefixes(title))
        self.prefixes = frozenset(
            prefix for prefix, count in counts.items() if self._is_shared(prefix, count, counts)
        )
        return self

    def guess(self, title: str) -> str:
        """Return the brand of a normalised title, or an empty text."""
        brand = ""
        for prefix in self._prefixes(title):
            if prefix not in self.prefixes:
                break
            brand = prefix
        return brand

    def _is_shared(self, prefix: str, count: int, counts: Counter[str]) -> bool:
        before = prefix.rpartition(" ")[0]
        return count >= self.min_rows and (not before or count >= self.share * counts[before])

    def _prefixes(self, title: str) -> Iterator[str]:
        words = title.split(" ", self.longest)[: self.longest]
        for length in range(1, len(words) + 1):
            yield " ".join(words[:length])


class Range:
    """Scale columns so that they reach from 0 to 1 over the train rows, and cut what lies outside.

    Parameters
    ----------
    low, high : ndarray of float64, shape (columns,)
        The least and the greatest train value.
    """

    def __init__(self, low: Floats, high: Floats) -> None:
        self.low, self.high = low, high
        span = high - low
        # A column that does not vary becomes 0.
        self._scale = 1 / np.where(span > 10 * np.finfo(np.float64).eps, span, 1)
        self._offset = -low * self._scale

    @classmethod
    def of(cls, columns: Floats) -> Self:
        """Return the range of the train rows."""
        return cls(columns.min(axis=0), columns.max(axis=0))

    def scaled(self, columns: Floats) -> NDArray[np.float32]:
        """Return scaled columns."""
        found = np.clip(columns * self._scale + self._offset, 0, 1)
        return found.astype(np.float32)


class TabularFeatures:
    """Turn catalogue texts into the tabular block.

    Numeric columns are scaled to [0, 1] over the train rows, and clipped there.
    Categories are fixed. Key columns stay text: their target encoding belongs inside the folds.

    Parameters
    ----------
    settings : TabularSettings
        See there.
    """

    def __init__(self, settings: TabularSettings) -> None:
        self.settings = settings
        self.brands = BrandGuess(settings.brand_min_rows, settings.brand_share)
        self.range = Range(np.zeros(len(NUMBER_NAMES)), np.ones(len(NUMBER_NAMES)))

    def fit(self, texts: Iterable[str]) -> Self:
        """Learn brands and ranges from the train texts.

        Raises
        ------
        DataError
            There is no text.
        """
        contents = [parse_content(text) for text in texts]
        if not contents:
            raise DataError("the tabular block needs at least one train row")
        self.brands = BrandGuess(self.settings.brand_min_rows, self.settings.brand_share)
        self.brands.fit(normalised_title(content.title) for content in contents)
        self.range = Range.of(_numbers(contents))
        return self

    def transform(self, texts: Iterable[str]) -> Tabular:
        """Return the tabular block of some texts, one row per text."""
        return self.encode([parse_content(text) for text in texts])

    def encode(self, contents: Sequence[Content]) -> Tabular:
        """Return the tabular block of texts that have been parsed, one row per text."""
        return Tabular(
            self.range.scaled(_numbers(contents)),
            _codes(contents),
            self._keys(contents),
            tuple(NUMERIC + name for name in NUMBER_NAMES),
            _KEYS,
            _LEVELS,
        )

    def _keys(self, contents: Sequence[Content]) -> Objects:
        rows = []
        for content in contents:
            title = normalised_title(content.title)
            words = title.split(" ", max(_HEADS))
            rows.append([self.brands.guess(title), *(" ".join(words[:count]) for count in _HEADS)])
        return np.array(rows, dtype=object).reshape(len(contents), len(_KEYS))

    def save(self, path: Path) -> None:
        """Write the fitted state as JSON."""
        state = {
            "settings": self.settings.model_dump(),
            "brands": sorted(self.brands.prefixes),
            "columns": list(NUMBER_NAMES),
            "low": self.range.low.tolist(),
            "high": self.range.high.tolist(),
        }
        write_json(path, state)

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        """Rebuild the fitted transformer from what `save` wrote.

        Raises
        ------
        DataError
            The state was written by a version with other columns.
        """
        if tuple(state["columns"]) != NUMBER_NAMES:
            raise DataError("tabular encoders: written by a version with other columns; refit")
        features = cls(TabularSettings(**state["settings"]))
        features.brands.prefixes = frozenset(state["brands"])
        features.range = Range(np.array(state["low"]), np.array(state["high"]))
        return features


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
    # Value is sometimes one pack's amount and sometimes that of all packs; the larger is the total.
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
        math.log1p(numbers(everything)),
        digits(everything) / size,
        uppers(content.title) / max(letters(content.title), 1),
        (len(everything) - len(_ascii(everything))) / size,
        math.log1p(_tags(everything)),
    )


def numbers(text: str) -> int:
    """Return how many decimal numbers of ASCII digits a text has."""
    # Most of a text is none of their characters, and a pattern would look at each of them.
    found = text.encode(errors="replace").translate(_NUMBERS_ONLY).split()
    return len(_NUMBER.findall(b" ".join(found)))


def digits(text: str) -> int:
    """Return how many characters are digits, of any script."""
    return _count(text, _DIGITS, str.isdigit)


def letters(text: str) -> int:
    """Return how many characters are letters, of any script."""
    return _count(text, string.ascii_letters.encode(), str.isalpha)


def uppers(text: str) -> int:
    """Return how many characters are letters in upper case, of any script."""
    return _count(text, string.ascii_uppercase.encode(), str.isupper)


def _count(text: str, characters: bytes, test: Callable[[str], bool]) -> int:
    """Return how many characters pass a test; those of ASCII that do are counted at once."""
    plain = _ascii(text)
    found = len(plain) - len(plain.translate(None, characters))
    if len(plain) < len(text):
        found += sum(map(test, _NOT_ASCII.findall(text)))
    return found


def _tags(text: str) -> int:
    return len(_TAG.findall(text)) if "<" in text or "&" in text else 0


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "ignore")
