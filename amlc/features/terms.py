"""The terms block: TF-IDF of words and characters, with numbers kept beside their unit."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field, model_validator

from amlc.catalog.content import title_of
from amlc.catalog.units import lookup, spellings
from amlc.errors import DataError, ParamsError
from amlc.files import replacing, write_array, write_json, write_text
from amlc.params import Settings, check

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

TextField = Literal["title", "text"]
Floats32 = NDArray[np.float32]

# Words whose character n-grams are kept at hand; a longer word is taken apart each time.
WORDS_REMEMBERED, LONGEST_REMEMBERED = 30_000, 30

_SPELLED = "|".join(
    name.replace(" ", r"[\s.\-]*") for name in spellings("mass", "volume", "count", "length")
)
_WITH_UNIT = re.compile(
    rf"(?<![\w.])(\d{{1,6}}(?:\.\d{{1,4}})?|\.\d{{1,4}})[\s\-]*({_SPELLED})(?![a-z])\.?\s*",
    re.ASCII,
)
_PACK_OF = re.compile(r"\b(?:pack|case|set|box|bundle|lot)\s+of\s*(\d{1,4})\b", re.ASCII)
_WORD = re.compile(r"\b\w[\w.']*\w\b|\b\w\b")


class VectorizerSettings(Settings):
    """One TF-IDF vectorizer; a range of n-grams over words, or over characters within words."""

    field: TextField
    analyzer: Literal["word", "char_wb"]
    ngrams: list[int] = Field(min_length=2, max_length=2)
    min_df: int = Field(ge=1)
    max_terms: int = Field(ge=1)

    @model_validator(mode="after")
    def _range_of_ngrams(self) -> Self:
        low, high = self.ngrams
        if not 1 <= low <= high <= 8:
            raise ValueError("ngrams: expected [low, high] with 1 <= low <= high <= 8")
        return self


class TermsSettings(Settings):
    """Section `terms` of params.yaml."""

    vectorizers: dict[str, VectorizerSettings] = Field(min_length=1)
    # Longer texts are cut here, so that one product cannot hold up the stage.
    max_chars: int = Field(ge=100)


_READERS: dict[TextField, Callable[[str], str]] = {"title": title_of, "text": str}


def join_numbers(text: str) -> str:
    """Return the text in lower case with each number joined to the unit beside it.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> join_numbers("Lemon Soda, 12 Fl. Oz (Pack of 6)")
    'lemon soda, 12fluid_ounce (6pack)'
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    return _PACK_OF.sub(r"\1pack", _WITH_UNIT.sub(_joined, folded)).strip()


def _joined(match: re.Match[str]) -> str:
    number, unit = match.groups()
    return f"{float(number):g}{lookup(unit).name.replace(' ', '_')} "


class TermFeatures:
    """Turn catalogue texts into the terms block: one group of columns per vectorizer.

    Parameters
    ----------
    settings : TermsSettings
        See there.

    Attributes
    ----------
    groups : dict of str to TermGroup
        Fitted; in the order of the settings, which is the order of the columns.
    """

    def __init__(self, settings: TermsSettings) -> None:
        self.settings = settings
        self.groups: dict[str, TermGroup] = {}
        self._idf = np.empty(0, np.float32)

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn vocabularies and document frequencies from the train texts."""
        fields = self._fields(texts)
        self._assemble(
            {
                name: _fitted(name, settings, fields[settings.field])
                for name, settings in self.settings.vectorizers.items()
            }
        )
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_array:
        """Return TF-IDF, each group of columns with rows of length 1.

        Returns
        -------
        csr_array of float32, shape (n, terms)
            Column indices sorted within each row. A row depends on nothing but its text.

        Notes
        -----
        The weights are, bit for bit, those of scikit-learn's TfidfTransformer, whose checks of
        its input take longer than a text does.
        """
        indices: list[int] = []
        counts: list[int] = []
        sizes: list[int] = []
        for found in self._counted(texts):
            indices += found.keys()
            counts += found.values()
            sizes.append(len(found))
        ends = np.cumsum([0, *sizes])[:: max(len(self.groups), 1)]
        block = sp.csr_array(
            (np.array(counts, np.float32), np.array(indices, np.int32), ends.astype(np.int32)),
            shape=(len(texts), len(self._idf)),
        )
        # Sums over a row run in the order of its columns.
        block.sort_indices()
        block.data = _of_length_one((np.log(block.data) + 1) * self._idf[block.indices], sizes)
        return block

    def _counted(self, texts: Sequence[str]) -> Iterator[Counter[int]]:
        """Yield how often each column's term occurs, group by group of each text."""
        fields = self._fields(texts)
        groups = [
            (self.groups[name], fields[settings.field])
            for name, settings in self.settings.vectorizers.items()
        ]
        for row in range(len(texts)):
            for group, field in groups:
                yield group.count(field[row])

    def _fields(self, texts: Sequence[str]) -> dict[str, list[str]]:
        used = {settings.field for settings in self.settings.vectorizers.values()}
        cut = [text[: self.settings.max_chars] for text in texts]
        return {name: [join_numbers(_READERS[name](text)) for text in cut] for name in sorted(used)}

    def _assemble(self, fitted: dict[str, tuple[list[str], Floats32]]) -> None:
        """Take terms and inverse document frequencies, by vectorizer."""
        start = 0
        for name, settings in self.settings.vectorizers.items():
            terms, idf = fitted[name]
            if len(terms) != len(idf):
                raise DataError(f"{len(terms)} terms with {len(idf)} document frequencies")
            self.groups[name] = TermGroup(settings, terms, start)
            start += len(terms)
        self._idf = np.concatenate([fitted[name][1] for name in self.settings.vectorizers])

    def save(self, folder: Path) -> None:
        """Write vocabularies, document frequencies and settings into a folder."""
        for name, group in self.groups.items():
            # Tokens and n-grams hold no line break, and such a file loads at once.
            write_text(folder / f"{name}.txt", "\n".join(group.terms))
            write_array(folder / f"{name}.npy", self._idf[group.start :][: len(group.terms)])
        # A list, which keeps the order of the columns.
        vectorizers = [[name, one.model_dump()] for name, one in self.settings.vectorizers.items()]
        content = {**self.settings.model_dump(), "vectorizers": vectorizers}
        write_json(folder / "settings.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            A file is missing or broken.
        """
        path = folder / "settings.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            raw["vectorizers"] = dict(raw["vectorizers"])
            features = cls(check(TermsSettings, raw, "terms", path))
            features._assemble(
                {
                    name: (
                        (folder / f"{name}.txt").read_bytes().decode("utf-8").split("\n"),
                        np.load(folder / f"{name}.npy", allow_pickle=False),
                    )
                    for name in features.settings.vectorizers
                }
            )
        except (OSError, ValueError, TypeError, KeyError, EOFError, ParamsError) as error:
            raise DataError(f"{folder}: no saved terms: {error}; run the stage terms") from None
        return features


class TermGroup:
    """Counts the terms of one group of columns.

    Parameters
    ----------
    settings : VectorizerSettings
        What a term is.
    terms : list of str
        In the order of the columns.
    start : int
        The group's first column.
    """

    def __init__(self, settings: VectorizerSettings, terms: list[str], start: int) -> None:
        self.terms = terms
        self.start = start
        self._columns = dict(zip(terms, range(start, start + len(terms)), strict=True))
        self._by_word = settings.analyzer == "char_wb"
        self._analyze = analyzer(settings)
        self._remembered = lru_cache(WORDS_REMEMBERED)(self._looked_up)

    def count(self, field: str) -> Counter[int]:
        """Return how often the term of each column occurs, of those that do."""
        if not self._by_word:
            return Counter(self._looked_up(field))
        found: list[int] = []
        # No n-gram of characters reaches over a blank, and words come again and again.
        for word in field.split():
            short = len(word) <= LONGEST_REMEMBERED
            found += self._remembered(word) if short else self._looked_up(word)
        return Counter(found)

    def _looked_up(self, text: str) -> list[int]:
        """Return the columns of the known terms of a text."""
        columns = map(self._columns.get, self._analyze(text))
        return [column for column in columns if column is not None]


def analyzer(settings: VectorizerSettings) -> Callable[[str], list[str]]:
    """Return what takes a text apart into its terms.

    Notes
    -----
    The terms are those of scikit-learn's analyzers of the same name, which a program that only
    prices would import for nothing else, for a second.
    """
    low, high = settings.ngrams
    return (_words if settings.analyzer == "word" else _characters)(low, high)


def _words(low: int, high: int) -> Callable[[str], list[str]]:
    def analyze(text: str) -> list[str]:
        words: list[str] = _WORD.findall(text)
        terms = words[:] if low == 1 else []
        for size in range(max(low, 2), high + 1):
            runs = zip(*(words[start:] for start in range(size)), strict=False)
            terms += map(" ".join, runs)
        return terms

    return analyze


def _characters(low: int, high: int) -> Callable[[str], list[str]]:
    def analyze(text: str) -> list[str]:
        terms: list[str] = []
        for word in text.split():
            padded = f" {word} "
            for size in range(low, high + 1):
                # A word that is no longer than this is one term.
                ends = range(size, max(len(padded), size) + 1)
                terms += [padded[end - size : end] for end in ends]
                if len(padded) <= size:
                    break
        return terms

    return analyze


def _of_length_one(weights: Floats32, sizes: list[int]) -> Floats32:
    """Divide each run of weights by its length, summed up in double precision."""
    run = np.repeat(np.arange(len(sizes)), sizes)
    lengths = np.sqrt(np.bincount(run, weights=weights * weights, minlength=len(sizes)))
    return (weights / lengths[run]).astype(np.float32)


def _fitted(
    name: str, settings: VectorizerSettings, fields: list[str]
) -> tuple[list[str], Floats32]:
    try:
        vectorizer = _vectorizer(settings).fit(fields)
    except ValueError as error:
        raise DataError(
            f"terms.vectorizers.{name}: {len(fields)} train rows give no term: {error}"
        ) from None
    return vectorizer.get_feature_names_out().tolist(), vectorizer.idf_


def _vectorizer(settings: VectorizerSettings) -> "TfidfVectorizer":
    # Slow to import, and only a fit needs it.
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - see above

    return TfidfVectorizer(
        analyzer=analyzer(settings),
        min_df=settings.min_df,
        max_features=settings.max_terms,
        sublinear_tf=True,
        dtype=np.float32,
    )


def write_terms(path: Path, terms: sp.csr_array) -> None:
    """Write the terms block as an uncompressed .npz."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        sp.save_npz(stream, sp.csr_matrix(terms), compressed=False)
