"""The terms block: TF-IDF of words and characters, with numbers kept beside their unit."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field, model_validator
from sklearn.feature_extraction.text import TfidfVectorizer

from amlc.catalog.content import title_of
from amlc.catalog.units import lookup, spellings
from amlc.errors import DataError
from amlc.files import replacing, write_array, write_json
from amlc.params import Settings

TextField = Literal["title", "text"]

_SPELLED = "|".join(
    name.replace(" ", r"[\s.\-]*") for name in spellings("mass", "volume", "count", "length")
)
_WITH_UNIT = re.compile(
    rf"(?<![\w.])(\d{{1,6}}(?:\.\d{{1,4}})?|\.\d{{1,4}})[\s\-]*({_SPELLED})(?![a-z])\.?\s*",
    re.ASCII,
)
_PACK_OF = re.compile(r"\b(?:pack|case|set|box|bundle|lot)\s+of\s*(\d{1,4})\b", re.ASCII)
_WORD = r"(?u)\b\w[\w.']*\w\b|\b\w\b"


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
    vectorizers : dict of str to TfidfVectorizer
        Fitted; in the order of the settings, which is the order of the columns.
    """

    def __init__(self, settings: TermsSettings) -> None:
        self.settings = settings
        self.vectorizers: dict[str, TfidfVectorizer] = {}

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn vocabularies and document frequencies from the train texts."""
        fields = self._fields(texts)
        self.vectorizers = {
            name: self._fit(name, settings, fields[settings.field])
            for name, settings in self.settings.vectorizers.items()
        }
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_array:
        """Return TF-IDF, each group of columns with rows of length 1.

        Returns
        -------
        csr_array of float32, shape (n, terms)
            Column indices sorted within each row.
        """
        fields = self._fields(texts)
        parts = [
            self.vectorizers[name].transform(fields[settings.field])
            for name, settings in self.settings.vectorizers.items()
        ]
        block = sp.csr_array(sp.hstack(parts, format="csr", dtype=np.float32))
        block.sort_indices()
        return block

    def _fields(self, texts: Sequence[str]) -> dict[str, list[str]]:
        used = {settings.field for settings in self.settings.vectorizers.values()}
        cut = [text[: self.settings.max_chars] for text in texts]
        return {name: [join_numbers(_READERS[name](text)) for text in cut] for name in sorted(used)}

    def _fit(self, name: str, settings: VectorizerSettings, fields: list[str]) -> TfidfVectorizer:
        try:
            return _vectorizer(settings).fit(fields)
        except ValueError as error:
            raise DataError(
                f"terms.vectorizers.{name}: {len(fields)} train rows give no term: {error}"
            ) from None

    def save(self, folder: Path) -> None:
        """Write vocabulary, document frequencies and settings into a folder."""
        for name, vectorizer in self.vectorizers.items():
            # A term may hold any character but a line break: tokens and n-grams have none.
            terms = vectorizer.get_feature_names_out()
            write_json(folder / f"{name}.json", terms.tolist())
            write_array(folder / f"{name}.npy", vectorizer.idf_)
        write_json(folder / "settings.json", self.settings.model_dump())

    @classmethod
    def restore(cls, settings: TermsSettings, fitted: dict[str, tuple[list[str], Any]]) -> Self:
        """Rebuild the fitted transformer.

        Parameters
        ----------
        settings : TermsSettings
            As it was fitted with.
        fitted : dict of str to (list of str, array of float)
            Terms in column order, and their inverse document frequencies, by vectorizer.
        """
        features = cls(settings)
        for name, vectorizer_settings in settings.vectorizers.items():
            terms, idf = fitted[name]
            vocabulary = {term: column for column, term in enumerate(terms)}
            vectorizer = _vectorizer(vectorizer_settings, vocabulary)
            vectorizer.idf_ = np.asarray(idf)
            features.vectorizers[name] = vectorizer
        return features


def _vectorizer(
    settings: VectorizerSettings, vocabulary: dict[str, int] | None = None
) -> TfidfVectorizer:
    return TfidfVectorizer(
        lowercase=False,
        analyzer=settings.analyzer,
        token_pattern=_WORD if settings.analyzer == "word" else None,
        ngram_range=(settings.ngrams[0], settings.ngrams[1]),
        min_df=1 if vocabulary is not None else settings.min_df,
        max_features=settings.max_terms,
        vocabulary=vocabulary,
        sublinear_tf=True,
        dtype=np.float32,
    )


def write_terms(path: Path, terms: sp.csr_array) -> None:
    """Write the terms block as an uncompressed .npz."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        sp.save_npz(stream, sp.csr_matrix(terms), compressed=False)
