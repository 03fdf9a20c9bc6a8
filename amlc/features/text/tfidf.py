"""The terms block: TF-IDF of words and characters, with numbers joined to their unit."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from amlc.arrays import Floats32, Ints32, Rows
from amlc.catalog.content import title_of, usual_form
from amlc.errors import DataError, ParamsError, read_errors_as
from amlc.execution.backend import Backend, in_order, open_pool
from amlc.features.block import in_chunks
from amlc.features.blocks import Terms
from amlc.features.text import tokens
from amlc.features.text.vocabulary import TermCounts, VectorizerSettings, Vocabulary
from amlc.files import write_array, write_json, write_text
from amlc.params import Settings, check

# Texts that are transformed together.
CHUNK_ROWS = 1024


class TermsSettings(Settings):
    """Section `terms` of params.yaml."""

    vectorizers: dict[str, VectorizerSettings] = Field(min_length=1)
    # Bounds the time that a single product takes.
    max_chars: int = Field(ge=100)


class TermFeatures:
    """Turn catalogue texts into the terms block: one group of columns per vectorizer.

    Parameters
    ----------
    settings : TermsSettings
        The vectorizers.

    Attributes
    ----------
    vocabularies : dict of str to Vocabulary
        Fitted: the terms of each vectorizer, in the order of the settings and of the columns.
    """

    def __init__(self, settings: TermsSettings) -> None:
        self.settings = settings
        self.vocabularies: dict[str, Vocabulary] = {}
        self._idf = np.empty(0, np.float32)

    def fit(self, texts: Iterable[str]) -> Self:
        """Learn vocabularies and document frequencies from the train texts.

        A vectorizer that finds no term in enough of them has no columns. A thousand texts are in
        memory at a time.
        """
        vectorizers = self.settings.vectorizers
        counts = {name: TermCounts(settings) for name, settings in vectorizers.items()}
        for chunk in in_chunks(texts, CHUNK_ROWS):
            fields = self._fields(chunk, None)
            for name, settings in vectorizers.items():
                counts[name].add(fields[settings.field])
        self._set_state({name: each.kept() for name, each in counts.items()})
        return self

    def transform(self, texts: Sequence[str], titles: Sequence[str] | None = None) -> Terms:
        """Return TF-IDF, scaled so that each row has length 1 in each group of columns.

        Parameters
        ----------
        texts : sequence of str
            Catalogue texts.
        titles : sequence of str, optional
            The titles of the texts, as `amlc.catalog.content.title_of` returns them; parsed from
            the texts by default.

        Returns
        -------
        Terms
            A row depends on its text alone.

        Notes
        -----
        The weights are, bit for bit, those of scikit-learn's TfidfTransformer. It is not used,
        because its checks of the input take longer than the transformation of a single text.
        """
        parts = list(self.transform_parts(texts, titles))
        one = len(parts) == 1
        return Terms(parts[0] if one else sp.csr_array(sp.vstack(parts, format="csr")))

    def transform_parts(
        self,
        texts: Iterable[str],
        titles: Iterable[str] | None = None,
        backend: Backend | None = None,
    ) -> Iterator[sp.csr_array]:
        """Yield what `transform` returns, for some of the texts after the others.

        Only the texts that are under way are taken from the iterable, and if there are none, there
        is one part without rows. Where they are transformed, by default in this thread, does not
        change the result.
        """
        chunks = in_chunks(texts, CHUNK_ROWS)
        known = None if titles is None else in_chunks(titles, CHUNK_ROWS)
        pieces = (
            (chunk, None if known is None else next(known, []))
            for chunk in chain([next(chunks, [])], chunks)
        )
        if backend is None:
            yield from (_weights_of(self, piece) for piece in pieces)
            return
        with open_pool(backend, self, at_once=None, unit="batch of texts") as pool:
            yield from in_order(pool, _weights_of, pieces)

    def weights(self, texts: Sequence[str], titles: Sequence[str] | None) -> sp.csr_array:
        """Return the weights of texts as `transform` does, all at once."""
        fields = self._fields(texts, titles)
        rows, columns = zip(
            *(
                self.vocabularies[name].occurrences(fields[settings.field])
                for name, settings in self.settings.vectorizers.items()
            ),
            strict=True,
        )
        shape = (len(next(iter(fields.values()))), len(self._idf))
        block = _term_counts(np.concatenate(rows), np.concatenate(columns), shape)
        block.data = (np.log(block.data) + 1) * self._idf[block.indices]
        block.data = self._normalized(block)
        return block

    def _normalized(self, block: sp.csr_array) -> Floats32:
        """Return the weights, scaled to length 1 in each row and group of columns."""
        starts = [vocabulary.first_column for vocabulary in self.vocabularies.values()]
        segment = np.repeat(np.arange(block.shape[0]) * len(starts), np.diff(block.indptr))
        segment += np.searchsorted(starts, block.indices, side="right") - 1
        # The sums are in double precision and in the order of the columns.
        squares = np.bincount(segment, weights=block.data * block.data, minlength=1)
        return (block.data / np.sqrt(squares)[segment]).astype(np.float32)

    def _fields(self, texts: Sequence[str], titles: Sequence[str] | None) -> dict[str, list[str]]:
        """Return the texts that the vectorizers read, by field."""
        used = {settings.field for settings in self.settings.vectorizers.values()}
        limit = self.settings.max_chars
        texts = [usual_form(text) for text in texts]
        fields = {"text": [text[:limit] for text in texts]}
        if "title" in used:
            known = [""] * len(texts) if titles is None else titles
            fields["title"] = [
                title_of(cut) if titles is None or len(text) > limit else title
                for text, cut, title in zip(texts, fields["text"], known, strict=True)
            ]
        return {name: list(map(tokens.join_numbers, fields[name])) for name in sorted(used)}

    def _set_state(self, fitted: dict[str, tuple[list[str], Floats32]]) -> None:
        """Set the terms and the inverse document frequencies of each vectorizer."""
        first_column = 0
        for name, settings in self.settings.vectorizers.items():
            terms, idf = fitted[name]
            if len(terms) != len(idf):
                raise DataError(f"{len(terms)} terms with {len(idf)} document frequencies")
            self.vocabularies[name] = Vocabulary(settings, terms, first_column)
            first_column += len(terms)
        self._idf = np.concatenate([fitted[name][1] for name in self.settings.vectorizers])

    def save(self, folder: Path) -> None:
        """Write vocabularies, document frequencies and settings into a folder."""
        for name, vocabulary in self.vocabularies.items():
            terms, first_column = vocabulary.terms, vocabulary.first_column
            # No term contains a line break, and a text file is fast to load.
            write_text(folder / f"{name}.txt", "\n".join(terms))
            write_array(folder / f"{name}.npy", self._idf[first_column:][: len(terms)])
        # A list, because JSON is written sorted by key and the order is that of the columns.
        vectorizers = [
            [name, settings.model_dump()] for name, settings in self.settings.vectorizers.items()
        ]
        content = {**self.settings.model_dump(), "vectorizers": vectorizers}
        write_json(folder / "settings.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            A file is missing or malformed.
        """
        path = folder / "settings.json"
        message, remedy = f"{folder}: no saved terms", "run the stage terms"
        with read_errors_as(DataError, message, ParamsError, remedy=remedy):
            raw = json.loads(path.read_text(encoding="utf-8"))
            raw["vectorizers"] = dict(raw["vectorizers"])
            features = cls(check(TermsSettings, raw, "terms", path))
            features._set_state(
                {
                    name: (
                        _lines((folder / f"{name}.txt").read_bytes().decode("utf-8")),
                        np.load(folder / f"{name}.npy", allow_pickle=False),
                    )
                    for name in features.settings.vectorizers
                }
            )
        return features


def _weights_of(
    features: TermFeatures, piece: tuple[Sequence[str], Sequence[str] | None]
) -> sp.csr_array:
    return features.weights(*piece)


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _term_counts(rows: Rows, columns: Ints32, shape: tuple[int, int]) -> sp.csr_array:
    """Return how often each column occurs in each row."""
    # Each pair is one number, so that a single sort of numbers is enough for all texts.
    pairs = (rows << 32) | columns
    pairs.sort()
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    counts = np.diff(first, append=len(pairs)).astype(np.float32)
    pairs = pairs[first]
    indptr = np.searchsorted(pairs, np.arange(shape[0] + 1) << 32).astype(np.int32)
    return sp.csr_array((counts, (pairs & 0xFFFFFFFF).astype(np.int32), indptr), shape=shape)
