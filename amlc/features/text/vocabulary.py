"""The terms of one vectorizer: learned from the train texts, and found in any text."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import chain, count
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from amlc.arrays import Floats32, Ints32, Ints64, Rows
from amlc.features.text.tokens import char_ngrams, word_ngrams
from amlc.params import Settings

TextField = Literal["title", "text"]

# Maximum number of words whose character n-grams are kept, and maximum length of each.
CACHE_SIZE, LONGEST_CACHED = 100_000, 30


class VectorizerSettings(Settings):
    """One entry of `terms.vectorizers` in params.yaml."""

    field: TextField
    analyzer: Literal["word", "char_wb"]
    ngram_range: list[int] = Field(min_length=2, max_length=2)
    min_df: int = Field(ge=1)
    max_features: int = Field(ge=1)

    @model_validator(mode="after")
    def _check_ngram_range(self) -> Self:
        low, high = self.ngram_range
        if not 1 <= low <= high <= 8:
            raise ValueError("ngram_range: expected [low, high] with 1 <= low <= high <= 8")
        return self


def _columns(
    analyze: Callable[[str], list[str]], column_of: Callable[[str], int | None], text: str
) -> list[int]:
    return [column for column in map(column_of, analyze(text)) if column is not None]


class TermFinder:
    """Find terms in texts.

    Parameters
    ----------
    settings : VectorizerSettings
        How a text is split into terms.
    column_of : callable
        Returns the column of a term; None for a term that has none.
    """

    def __init__(
        self, settings: VectorizerSettings, column_of: Callable[[str], int | None]
    ) -> None:
        # Not a method, which would keep this object and all terms until the garbage is collected.
        self._columns_of = partial(_columns, analyzer(settings), column_of)
        # The character n-grams of a word do not depend on the words around it.
        self._by_word = settings.analyzer == "char_wb"
        self.word_columns = lru_cache(CACHE_SIZE)(self._columns_of)

    def occurrences(self, texts: Iterable[str]) -> tuple[Rows, Ints32]:
        """Find all occurrences of terms in texts.

        Parameters
        ----------
        texts : iterable of str
            Texts as `amlc.features.text.tokens.join_numbers` returns them.

        Returns
        -------
        rows : ndarray of int, shape (occurrences,)
            The position of the text.
        columns : ndarray of int32, shape (occurrences,)
            The column of the term.
        """
        find = self._columns_by_word if self._by_word else self._columns_of
        found = list(map(find, texts))
        sizes = np.array([len(columns) for columns in found], dtype=np.intp)
        columns = np.fromiter(chain.from_iterable(found), np.int32, sizes.sum())
        return np.repeat(np.arange(len(sizes)), sizes), columns

    def _columns_by_word(self, text: str) -> list[int]:
        columns: list[int] = []
        for word in text.split():
            cached = len(word) <= LONGEST_CACHED
            columns += self.word_columns(word) if cached else self._columns_of(word)
        return columns


class Vocabulary(TermFinder):
    """The terms of one vectorizer, and where they occur in texts.

    Parameters
    ----------
    settings : VectorizerSettings
        How a text is split into terms.
    terms : list of str
        In the order of their columns.
    first_column : int
        Column of the first term.
    """

    def __init__(self, settings: VectorizerSettings, terms: list[str], first_column: int) -> None:
        columns = {term: first_column + index for index, term in enumerate(terms)}
        super().__init__(settings, columns.get)
        self._settings = settings
        self.terms = terms
        self.first_column = first_column

    def __reduce__(self) -> tuple[type, tuple[VectorizerSettings, list[str], int]]:
        # Other processes make their own cache.
        return type(self), (self._settings, self.terms, self.first_column)


def analyzer(settings: VectorizerSettings) -> Callable[[str], list[str]]:
    """Return the function that splits a text into the terms of a vectorizer.

    Notes
    -----
    The terms are those of scikit-learn's analyzer of the same name, but scikit-learn takes more
    than a second to import.
    """
    low, high = settings.ngram_range
    ngrams = word_ngrams if settings.analyzer == "word" else char_ngrams
    return partial(ngrams, low=low, high=high)


class TermCounts:
    """Count the terms of texts, from which a vectorizer chooses those that it keeps.

    Nothing of a text is kept. scikit-learn's TfidfVectorizer, which chooses the same terms but for
    those as frequent as the last one that it keeps, holds the counts of all texts and terms.

    Parameters
    ----------
    settings : VectorizerSettings
        A term is kept if at least `min_df` texts have it. Of more than `max_features`, those are
        kept that occur most often; of equally frequent ones, the first in alphabetical order.
    """

    def __init__(self, settings: VectorizerSettings) -> None:
        self._settings = settings
        # A new term gets the next column.
        self._columns = defaultdict[str, int](count().__next__)
        self._finder = TermFinder(settings, self._columns.__getitem__)
        self._texts = 0
        # By column: the number of texts that have the term, and how often it occurs in all of them.
        self._texts_with = self._occurrences = np.zeros(0, np.int64)

    def add(self, texts: Sequence[str]) -> None:
        """Count the terms of further texts, as `tokens.join_numbers` returns them."""
        rows, found = self._finder.occurrences(texts)
        self._texts += len(texts)
        self._texts_with, self._occurrences = (
            _longer(counts, len(self._columns)) for counts in (self._texts_with, self._occurrences)
        )
        np.add.at(self._occurrences, found, 1)
        # Each pair of text and term is one number, so that a single sort finds repeated ones.
        np.add.at(self._texts_with, np.unique((rows << 32) | found) & 0xFFFFFFFF, 1)

    def kept(self) -> tuple[list[str], Floats32]:
        """Return the terms to keep, if any, and their inverse document frequencies.

        Returns
        -------
        terms : list of str
            In alphabetical order.
        idf : ndarray of float32, shape (terms,)
            log((1 + n) / (1 + df)) + 1 of a term in df of n texts, as in scikit-learn's
            TfidfTransformer, bit for bit.
        """
        is_kept = (self._texts_with >= self._settings.min_df).tolist()
        terms = sorted(term for term, column in self._columns.items() if is_kept[column])
        if len(terms) > self._settings.max_features:
            counts = self._occurrences[[self._columns[term] for term in terms]]
            most = np.argsort(-counts, kind="stable")[: self._settings.max_features]
            terms = [terms[position] for position in np.sort(most).tolist()]
        # In single precision from here on, as scikit-learn computes it.
        df = self._texts_with[[self._columns[term] for term in terms]].astype(np.float32)
        return terms, np.log(np.float32(self._texts + 1) / (df + np.float32(1))) + np.float32(1)


def _longer(counts: Ints64, size: int) -> Ints64:
    """Return the counts with zeros after them, at least up to this size."""
    if size <= len(counts):
        return counts
    # Twice as long, so that all copies together are as long as the last one.
    return np.append(counts, np.zeros(max(size, 2 * len(counts)) - len(counts), np.int64))
