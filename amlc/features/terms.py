"""The terms block: TF-IDF of words and characters, with numbers kept beside their unit."""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
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
# A pattern that begins with a set of characters is searched for far faster than one that begins by
# looking back, so that is done behind the first digit or dot.
_NUMBER = r"[\d.](?<![\w.].)(?:(?<=\d)\d{0,5}(?:\.\d{1,4})?|(?<=\.)\d{1,4})"
_WITH_UNIT = re.compile(rf"({_NUMBER})[\s\-]*({_SPELLED})(?![a-z])\.?\s*", re.ASCII)
_OF_NUMBER = r"of\s*(\d{1,4})\b"
_SOME_OF = re.compile(_OF_NUMBER, re.ASCII)
_PACK_OF = re.compile(rf"\b(?:pack|case|set|box|bundle|lot)\s+{_OF_NUMBER}", re.ASCII)
# What a word is made of beside letters and digits; the first two not at its ends.
_INSIDE_WORDS = ".'"
_IN_WORDS = frozenset(_INSIDE_WORDS + "_")


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
    folded = _WITH_UNIT.sub(_joined, unicodedata.normalize("NFKC", text).lower())
    if _SOME_OF.search(folded):
        folded = _PACK_OF.sub(r"\1pack", folded)
    return folded.strip()


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
        fields = self._fields(texts)
        groups = [
            (self.groups[name], fields[settings.field])
            for name, settings in self.settings.vectorizers.items()
        ]
        indices: list[int] = []
        ends = [0]
        for row in range(len(texts)):
            for group, field in groups:
                indices += group.columns(field[row])
            ends.append(len(indices))
        block = sp.csr_array(
            (np.ones(len(indices), np.float32), np.array(indices, np.int32), np.array(ends)),
            shape=(len(texts), len(self._idf)),
        )
        block.sum_duplicates()
        block.data = (np.log(block.data) + 1) * self._idf[block.indices]
        block.data = self._of_length_one(block)
        return block

    def _of_length_one(self, block: sp.csr_array) -> Floats32:
        """Return the weights so that each row of each group has the length 1."""
        starts = [group.start for group in self.groups.values()]
        run = np.repeat(np.arange(block.shape[0]) * len(starts), np.diff(block.indptr))
        run += np.searchsorted(starts, block.indices, side="right") - 1
        # Summed up in double precision, in the order of the columns.
        squares = np.bincount(run, weights=block.data * block.data, minlength=1)
        return (block.data / np.sqrt(squares)[run]).astype(np.float32)

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
    """Finds the terms of one group of columns.

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

    def columns(self, field: str) -> list[int]:
        """Return the column of each known term of a text, as often as it occurs."""
        if not self._by_word:
            return self._looked_up(field)
        found: list[int] = []
        # No n-gram of characters reaches over a blank, and words come again and again.
        for word in field.split():
            short = len(word) <= LONGEST_REMEMBERED
            found += self._remembered(word) if short else self._looked_up(word)
        return found

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


class _Blanks(dict[int, int]):
    """A blank for each character that no word holds, for `str.translate`."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        return code if character.isalnum() or character in _IN_WORDS else ord(" ")


_BLANKS = _Blanks((code, _Blanks().__missing__(code)) for code in range(0x250))


def _words(low: int, high: int) -> Callable[[str], list[str]]:
    def analyze(text: str) -> list[str]:
        runs = text.translate(_BLANKS).split()
        words = [word for run in runs if (word := run.strip(_INSIDE_WORDS))]
        terms = words[:] if low == 1 else []
        for size in range(max(low, 2), high + 1):
            terms += map(" ".join, zip(*(words[start:] for start in range(size)), strict=False))
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
