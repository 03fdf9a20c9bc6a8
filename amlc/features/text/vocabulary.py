"""Vocabularies: n-grams with their columns, and the search for them in many texts at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from amlc.arrays import Bools, Ints32, Ints64, Rows
from amlc.features.text.tokens import INNER_PUNCTUATION, Analyzer, raw_tokens

# Maximum number of tokens in a cache, and maximum length of each.
CACHE_SIZE, LONGEST_CACHED = 100_000, 30
# The id of all words that do not occur in any term.
UNKNOWN = 0
# In place of a column or word that does not exist.
ABSENT = -1


class Vocabulary(Protocol):
    """The terms of one group of columns.

    Attributes
    ----------
    terms : list of str
        In the order of their columns.
    first_column : int
        Column of the first term.
    """

    terms: list[str]
    first_column: int

    def occurrences(self, texts: Sequence[str]) -> tuple[Rows, Ints32]:
        """Find all occurrences of terms in texts.

        Parameters
        ----------
        texts : sequence of str
            Texts as `amlc.features.text.tokens.join_numbers` returns them.

        Returns
        -------
        rows : ndarray of int, shape (occurrences,)
            The position of the text.
        columns : ndarray of int32, shape (occurrences,)
            The column of the term.
        """
        ...


class WordVocabulary:
    """A vocabulary of word n-grams.

    Each word is looked up once; its id is then followed through a trie of n-grams, for all texts at
    once.

    Parameters
    ----------
    terms : list of str
        In the order of their columns; words are separated by a space.
    first_column : int
        Column of the first term.

    Attributes
    ----------
    word_ids : WordIds
        The id of the word in a token.
    """

    def __init__(self, terms: list[str], first_column: int) -> None:
        self.terms = terms
        self.first_column = first_column
        ngrams = [term.encode().split(b" ") for term in terms]
        ids: dict[bytes, int] = {}
        words = [ids.setdefault(word, len(ids) + 1) for ngram in ngrams for word in ngram]
        sizes = np.fromiter(map(len, ngrams), np.intp, len(ngrams))
        self.word_ids = WordIds(ids)
        self._columns, self._levels = _build_trie(
            np.array(words, dtype=np.int64), sizes, len(ids) + 1, first_column
        )

    def occurrences(self, texts: Sequence[str]) -> tuple[Rows, Ints32]:
        """See `Vocabulary.occurrences`."""
        word_id = self.word_ids.__getitem__
        ids = [list(map(word_id, raw_tokens(text))) for text in texts]
        row = np.repeat(np.arange(len(ids)), np.fromiter(map(len, ids), np.intp, len(ids)))
        word = np.fromiter(chain.from_iterable(ids), np.int32, len(row))
        row, word = _present(row, word)
        rows, columns = [row], [self._columns[word]]
        ngram = word
        for size, level in enumerate(self._levels, start=2):
            end = len(word) - size + 1
            if end <= 0:
                break
            # No n-gram spans two texts.
            same_text = row[: -size + 1] == row[size - 1 :]
            shorter = np.where(same_text, ngram[:end], UNKNOWN)
            ngram = np.asarray(level.longer[shorter, word[size - 1 :]])
            rows.append(row[:end])
            columns.append(level.columns[ngram])
        return _present(np.concatenate(rows), np.concatenate(columns))


class WordIds(dict[bytes, int]):
    """A cache from raw tokens to the ids of their words.

    The value is `UNKNOWN` for a word without an id, and `ABSENT` for a token without a word.

    Parameters
    ----------
    ids : dict of bytes to int
        The positive ids of the words that terms consist of.
    """

    def __init__(self, ids: dict[bytes, int]) -> None:
        super().__init__(ids)
        self._max_size = len(ids) + CACHE_SIZE

    def __missing__(self, token: bytes) -> int:
        word = token.strip(INNER_PUNCTUATION)
        word_id = self.get(word, UNKNOWN) if word else ABSENT
        if len(token) <= LONGEST_CACHED and len(self) < self._max_size:
            self[token] = word_id
        return word_id


@dataclass(frozen=True)
class _TrieLevel:
    """The n-grams of one size that are terms or prefixes of terms.

    Parameters
    ----------
    longer : csr_array of int32, shape (n-grams one word shorter, word ids)
        The id of the n-gram that consists of a shorter one and the next word, or `UNKNOWN`.
    columns : ndarray of int32, shape (n-grams,)
        The column of each n-gram by its id; `ABSENT` if it is only a prefix, and for `UNKNOWN`.
    """

    longer: sp.csr_array
    columns: Ints32


def _build_trie(
    words: Ints64, sizes: Rows, word_count: int, first_column: int
) -> tuple[Ints32, list[_TrieLevel]]:
    """Return the columns of single words by word id, and the levels for longer n-grams.

    Parameters
    ----------
    words : ndarray of int64
        The word ids of all terms, one term after the other.
    sizes : ndarray of int, shape (terms,)
        Number of words in each term.
    word_count : int
        Number of word ids, `UNKNOWN` included.
    first_column : int
        Column of the first term.
    """
    starts = np.cumsum(sizes) - sizes
    ngram = words[starts]
    single = _columns_by_id(word_count, ngram, sizes == 1, first_column)
    levels, shorter_count = [], word_count
    for size in range(2, int(sizes.max(initial=0)) + 1):
        long_enough = np.flatnonzero(sizes >= size)
        # Each pair of a shorter n-gram and the next word, as one number.
        pairs, index = np.unique(
            ngram[long_enough] * word_count + words[starts[long_enough] + size - 1],
            return_inverse=True,
        )
        ngram[long_enough] = index + 1
        indptr = np.searchsorted(pairs, np.arange(shorter_count + 1) * word_count)
        count = len(pairs) + 1
        longer = sp.csr_array(
            (np.arange(1, count, dtype=np.int32), (pairs % word_count).astype(np.int32), indptr),
            shape=(shorter_count, word_count),
        )
        levels.append(_TrieLevel(longer, _columns_by_id(count, ngram, sizes == size, first_column)))
        shorter_count = count
    return single, levels


def _columns_by_id(count: int, ngram: Ints64, is_term: Bools, first_column: int) -> Ints32:
    columns = np.full(count, ABSENT, np.int32)
    columns[ngram[is_term]] = np.flatnonzero(is_term) + first_column
    return columns


class CharVocabulary:
    """A vocabulary of character n-grams within words.

    Parameters
    ----------
    terms : list of str
        In the order of their columns.
    first_column : int
        Column of the first term.
    analyze : callable
        Splits a word into its n-grams.

    Attributes
    ----------
    word_columns : WordColumns
        The columns of the n-grams in each word.
    """

    def __init__(self, terms: list[str], first_column: int, analyze: Analyzer) -> None:
        self.terms = terms
        self.first_column = first_column
        columns = range(first_column, first_column + len(terms))
        self.word_columns = WordColumns(dict(zip(terms, columns, strict=True)), analyze)

    def occurrences(self, texts: Sequence[str]) -> tuple[Rows, Ints32]:
        """See `Vocabulary.occurrences`."""
        packed = [b"".join(map(self.word_columns.__getitem__, text.split())) for text in texts]
        columns = np.frombuffer(b"".join(packed), np.int32)
        sizes = np.fromiter(map(len, packed), np.intp, len(packed)) // columns.itemsize
        return np.repeat(np.arange(len(packed)), sizes), columns


class WordColumns(dict[str, bytes]):
    """A cache from words to the columns of their n-grams, as the bytes of an array of int32.

    Parameters
    ----------
    columns : dict of str to int
        Column of each term.
    analyze : callable
        Splits a word into its n-grams.
    """

    def __init__(self, columns: dict[str, int], analyze: Analyzer) -> None:
        super().__init__()
        self._columns = columns
        self._analyze = analyze

    def __missing__(self, word: str) -> bytes:
        columns = [
            column
            for term in self._analyze(word)
            if (column := self._columns.get(term)) is not None
        ]
        packed = np.array(columns, dtype=np.int32).tobytes()
        if len(word) <= LONGEST_CACHED:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[word] = packed
        return packed


def _present(rows: Rows, values: Ints32) -> tuple[Rows, Ints32]:
    """Return the values that are not `ABSENT`, and their rows."""
    present = values != ABSENT
    return rows[present], values[present]
