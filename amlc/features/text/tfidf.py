"""The terms block: TF-IDF of words and characters, with numbers kept beside their unit."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field, model_validator

from amlc.arrays import Floats32
from amlc.catalog.content import title_of
from amlc.errors import DataError, ParamsError
from amlc.features.text import tokens
from amlc.features.text.tokens import Analyzer, characters, words
from amlc.features.text.vocabulary import CharacterLookup, Lookup, WordLookup
from amlc.files import replacing, write_array, write_json, write_text
from amlc.params import Settings, check

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

TextField = Literal["title", "text"]

# Texts that are worked on at once.
ROWS_AT_ONCE = 1024


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
        fields = self._fields(texts, None)
        self._assemble(
            {
                name: _fitted(name, settings, fields[settings.field])
                for name, settings in self.settings.vectorizers.items()
            }
        )
        return self

    def transform(self, texts: Sequence[str], titles: Sequence[str] | None = None) -> sp.csr_array:
        """Return TF-IDF, each group of columns with rows of length 1.

        Parameters
        ----------
        texts : sequence of str
            Catalogue texts.
        titles : sequence of str, optional
            `amlc.catalog.content.title_of` each of them, where that is known already.

        Returns
        -------
        csr_array of float32, shape (n, terms)
            Column indices sorted within each row. A row depends on nothing but its text.

        Notes
        -----
        The weights are, bit for bit, those of scikit-learn's TfidfTransformer, whose checks of
        its input take longer than a text does.
        """
        chunks = [
            slice(start, start + ROWS_AT_ONCE) for start in range(0, len(texts), ROWS_AT_ONCE)
        ]
        blocks = [
            self._block(self._fields(texts[chunk], None if titles is None else titles[chunk]))
            for chunk in chunks or [slice(0)]
        ]
        return blocks[0] if len(blocks) == 1 else sp.csr_array(sp.vstack(blocks, format="csr"))

    def _block(self, fields: dict[str, list[str]]) -> sp.csr_array:
        places, columns = zip(
            *(
                self.groups[name].lookup.occurrences(fields[settings.field])
                for name, settings in self.settings.vectorizers.items()
            ),
            strict=True,
        )
        rows = len(next(iter(fields.values())))
        block = _counted(np.concatenate(places), np.concatenate(columns), (rows, len(self._idf)))
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

    def _fields(self, texts: Sequence[str], titles: Sequence[str] | None) -> dict[str, list[str]]:
        """Return what the vectorizers read, by field."""
        used = {settings.field for settings in self.settings.vectorizers.values()}
        most = self.settings.max_chars
        found = {"text": [text[:most] for text in texts]}
        if "title" in used:
            known = [""] * len(texts) if titles is None else titles
            found["title"] = [
                title_of(cut) if titles is None or len(text) > most else title
                for text, cut, title in zip(texts, found["text"], known, strict=True)
            ]
        return {name: list(map(tokens.join_numbers, found[name])) for name in sorted(used)}

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
    """The terms of one vectorizer and their columns.

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
        self.lookup: Lookup = (
            WordLookup(terms, start)
            if settings.analyzer == "word"
            else CharacterLookup(terms, start, analyzer(settings))
        )


def _counted(
    places: NDArray[np.intp], columns: NDArray[np.int32], shape: tuple[int, int]
) -> sp.csr_array:
    """Return how often each column occurs at each place."""
    # Each pair as one number, so that one sort of plain numbers does for all texts.
    pairs = (places << 32) | columns
    pairs.sort()
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    counts = np.diff(first, append=len(pairs)).astype(np.float32)
    pairs = pairs[first]
    ends = np.searchsorted(pairs, np.arange(shape[0] + 1) << 32).astype(np.int32)
    return sp.csr_array((counts, (pairs & 0xFFFFFFFF).astype(np.int32), ends), shape=shape)


def analyzer(settings: VectorizerSettings) -> Analyzer:
    """Return what takes a text apart into its terms.

    Notes
    -----
    The terms are those of scikit-learn's analyzers of the same name, which a program that only
    prices would import for nothing else, for a second.
    """
    return (words if settings.analyzer == "word" else characters)(*settings.ngrams)


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
