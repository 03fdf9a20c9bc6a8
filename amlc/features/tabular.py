"""The tabular block: numbers, categories and keys parsed from the catalogue text."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from sklearn.preprocessing import MinMaxScaler

from amlc.catalog.content import Content, normalised_title, parse
from amlc.catalog.quantity import parse_quantity
from amlc.catalog.units import KINDS, UNIT_NAMES, lookup
from amlc.errors import DataError
from amlc.features.blocks import CATEGORICAL, HIGH_CARDINALITY, NUMERIC
from amlc.files import write_json
from amlc.params import Settings

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|&[a-z]{2,6};|&#\d{2,5};")
_DIGITS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_KINDS, _UNITS = pd.CategoricalDtype(list(KINDS)), pd.CategoricalDtype(list(UNIT_NAMES))


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


class TabularFeatures:
    """Turn catalogue texts into the tabular block.

    Numeric columns are scaled to [0, 1] over the train rows by MinMaxScaler, and clipped there.
    Categories are fixed. Key columns stay text: their target encoding belongs inside the folds.

    Parameters
    ----------
    settings : TabularSettings
        See there.
    """

    def __init__(self, settings: TabularSettings) -> None:
        self.settings = settings
        self.brands = BrandGuess(settings.brand_min_rows, settings.brand_share)
        self.scaler = MinMaxScaler(clip=True)

    def fit(self, texts: Iterable[str]) -> Self:
        """Learn brands and ranges from the train texts.

        Raises
        ------
        DataError
            There is no text.
        """
        contents = [parse(text) for text in texts]
        if not contents:
            raise DataError("the tabular block needs at least one train row")
        self.brands = BrandGuess(self.settings.brand_min_rows, self.settings.brand_share)
        self.brands.fit(normalised_title(content.title) for content in contents)
        self.scaler = MinMaxScaler(clip=True).fit(_numbers(contents))
        return self

    def transform(self, texts: Iterable[str]) -> pd.DataFrame:
        """Return the tabular block of some texts.

        Returns
        -------
        DataFrame
            One row per text: ``num_*`` float32 in [0, 1], ``cat_*`` categorical, ``key_*`` str.
        """
        contents = [parse(text) for text in texts]
        scaled = self._scaled(contents)
        units = [lookup(content.unit) for content in contents]
        titles = [normalised_title(content.title) for content in contents]
        # All at once: a column added to a frame costs more than a product.
        columns: dict[str, Any] = {
            NUMERIC + name: scaled[:, place] for place, name in enumerate(NUMBER_NAMES)
        }
        columns[CATEGORICAL + "kind"] = _coded([unit.kind for unit in units], _KINDS)
        columns[CATEGORICAL + "unit"] = _coded([unit.name for unit in units], _UNITS)
        columns[HIGH_CARDINALITY + "brand"] = _texts(self.brands.guess(title) for title in titles)
        for count in (1, 2, 3):
            heads = (" ".join(title.split(" ", count)[:count]) for title in titles)
            columns[f"{HIGH_CARDINALITY}first_{count}"] = _texts(heads)
        return pd.DataFrame(columns)

    def _scaled(self, contents: list[Content]) -> NDArray[np.float32]:
        if not contents:
            return np.empty((0, len(NUMBER_NAMES)), dtype=np.float32)
        scaled: NDArray[np.float32] = self.scaler.transform(_numbers(contents)).astype(np.float32)
        return scaled

    def save(self, path: Path) -> None:
        """Write the fitted state as JSON."""
        state = {
            "settings": self.settings.model_dump(),
            "brands": sorted(self.brands.prefixes),
            "columns": list(NUMBER_NAMES),
            "low": self.scaler.data_min_.tolist(),
            "high": self.scaler.data_max_.tolist(),
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
        features.scaler.fit(np.array([state["low"], state["high"]]))
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


def _coded(values: list[str], categories: pd.CategoricalDtype) -> pd.Categorical:
    codes = dict(zip(categories.categories, range(len(categories.categories)), strict=True))
    return pd.Categorical.from_codes([codes[value] for value in values], dtype=categories)


def _texts(values: Iterable[str]) -> Any:
    return pd.array(list(values), dtype="str")


def _numbers(contents: list[Content]) -> NDArray[np.float64]:
    rows = [(*_amounts(content), *_statistics(content)) for content in contents]
    return np.array(rows, dtype=np.float64).reshape(len(contents), len(NUMBER_NAMES))


def _amounts(content: Content) -> tuple[float, ...]:
    value = content.value or 0.0
    unit = lookup(content.unit)
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
    letters = max(sum(map(str.isalpha, content.title)), 1)
    return (
        math.log1p(len(content.title)),
        math.log1p(len(content.title.split())),
        float(min(len(content.bullets), 20)),
        math.log1p(len(bullets)),
        math.log1p(len(content.description)),
        math.log1p(len(_DIGITS.findall(everything))),
        sum(map(str.isdigit, everything)) / size,
        sum(map(str.isupper, content.title)) / letters,
        sum(not character.isascii() for character in everything) / size,
        math.log1p(len(_TAG.findall(everything))),
    )
