"""Find the columns of known terms in many texts at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from amlc.arrays import Ints32, Rows
from amlc.features.text.tokens import NOT_AT_ENDS, Analyzer, runs

# What is remembered of words that were looked up: so many, and none that is longer.
REMEMBERED, LONGEST_REMEMBERED = 100_000, 30
# No column, no word.
NONE = -1


class Lookup(Protocol):
    """Finds the terms of one group of columns."""

    def occurrences(self, fields: Sequence[str]) -> tuple[Rows, Ints32]:
        """Return the place of the text and the column, for each occurrence of a known term."""
        ...


@dataclass(frozen=True)
class _Level:
    """The n-grams of one size that are terms or begin one.

    Parameters
    ----------
    following : csr_array of int32, shape (n-grams of a word less, words)
        The number of the n-gram that a word makes of a shorter one; 0 where it makes none.
    columns : ndarray of int32
        Column of each, by its number; `NONE` for one that only begins a term, and for number 0.
    """

    following: sp.csr_array
    columns: Ints32


class WordLookup:
    """Finds n-grams of words.

    Each word is looked up by itself, once; n-grams are then put together from the words' numbers.

    Parameters
    ----------
    terms : list of str
        In the order of the columns; a blank stands between two words.
    start : int
        The first term's column.
    """

    def __init__(self, terms: list[str], start: int) -> None:
        split = [term.encode().split(b" ") for term in terms]
        numbers: dict[bytes, int] = {}
        # Number 0 is any word that no term has.
        flat = [numbers.setdefault(word, len(numbers) + 1) for words in split for word in words]
        sizes = np.fromiter(map(len, split), np.intp, len(split))
        self._number = _Numbers(numbers)
        self._columns, self._levels = _tree(
            np.array(flat, dtype=np.int64), sizes, len(numbers) + 1, start
        )

    def occurrences(self, fields: Sequence[str]) -> tuple[Rows, Ints32]:
        """See `Lookup`."""
        number = self._number.__getitem__
        found = [list(map(number, runs(field))) for field in fields]
        place = np.repeat(np.arange(len(found)), np.fromiter(map(len, found), np.intp, len(found)))
        word = np.fromiter(chain.from_iterable(found), np.int32, len(place))
        place, word = _known(place, word)
        places, columns = [place], [self._columns[word]]
        ngram = word
        for size, level in enumerate(self._levels, start=2):
            end = len(word) - size + 1
            if end <= 0:
                break
            inside = place[: -size + 1] == place[size - 1 :]
            # An n-gram does not reach from one text into the next.
            ngram = np.where(inside, ngram[:end], 0)
            ngram = np.asarray(level.following[ngram, word[size - 1 :]])
            places.append(place[:end])
            columns.append(level.columns[ngram])
        return _known(np.concatenate(places), np.concatenate(columns))


class _Numbers(dict[bytes, int]):
    """The number of the word in each run of characters; `NONE` where a run holds none."""

    def __init__(self, numbers: dict[bytes, int]) -> None:
        super().__init__(numbers)
        self._most = len(numbers) + REMEMBERED

    def __missing__(self, run: bytes) -> int:
        word = run.strip(NOT_AT_ENDS)
        found = self.get(word, 0) if word else NONE
        if len(run) <= LONGEST_REMEMBERED and len(self) < self._most:
            self[run] = found
        return found


def _tree(
    flat: NDArray[np.int64], sizes: Rows, width: int, start: int
) -> tuple[Ints32, list[_Level]]:
    """Return the columns of single words, and the levels of longer terms.

    Parameters
    ----------
    flat : ndarray of int64
        The numbers of the words of all terms, one term after the other.
    sizes : ndarray of int
        Words of each term.
    width : int
        Numbers that words can have.
    start : int
        The first term's column.
    """
    first = np.cumsum(sizes) - sizes
    ngram = flat[first]
    single = _columns(width, ngram, sizes == 1, start)
    levels, shorter = [], width
    for size in range(2, int(sizes.max(initial=0)) + 1):
        longer = np.flatnonzero(sizes >= size)
        pairs, place = np.unique(
            ngram[longer] * width + flat[first[longer] + size - 1], return_inverse=True
        )
        ngram[longer] = place + 1
        ends = np.searchsorted(pairs, np.arange(shorter + 1) * width)
        count = len(pairs) + 1
        following = sp.csr_array(
            (np.arange(1, count, dtype=np.int32), (pairs % width).astype(np.int32), ends),
            shape=(shorter, width),
        )
        levels.append(_Level(following, _columns(count, ngram, sizes == size, start)))
        shorter = count
    return single, levels


def _columns(count: int, ngram: NDArray[np.int64], terms: NDArray[np.bool_], start: int) -> Ints32:
    columns = np.full(count, NONE, np.int32)
    columns[ngram[terms]] = np.flatnonzero(terms) + start
    return columns


class CharacterLookup:
    """Finds n-grams of characters within words; a word's are remembered, as words come again.

    Parameters
    ----------
    terms, start
        As for `WordLookup`.
    analyze : callable
        Takes a word apart into its terms.
    """

    def __init__(self, terms: list[str], start: int, analyze: Analyzer) -> None:
        self._found = _PackedColumns(terms, start, analyze)

    def occurrences(self, fields: Sequence[str]) -> tuple[Rows, Ints32]:
        """See `Lookup`."""
        packed = [b"".join(map(self._found.__getitem__, field.split())) for field in fields]
        columns = np.frombuffer(b"".join(packed), np.int32)
        sizes = np.fromiter(map(len, packed), np.intp, len(packed)) // columns.itemsize
        return np.repeat(np.arange(len(packed)), sizes), columns


class _PackedColumns(dict[str, bytes]):
    """The columns of each word's known terms, as the bytes of an array of int32."""

    def __init__(self, terms: list[str], start: int, analyze: Analyzer) -> None:
        super().__init__()
        self._column = dict(zip(terms, range(start, start + len(terms)), strict=True))
        self._analyze = analyze

    def __missing__(self, word: str) -> bytes:
        columns = [self._column.get(term, NONE) for term in self._analyze(word)]
        found = np.array([one for one in columns if one != NONE], dtype=np.int32).tobytes()
        if len(word) <= LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED:
                self.clear()
            self[word] = found
        return found


def _known(places: Rows, found: NDArray[np.int32]) -> tuple[Rows, NDArray[np.int32]]:
    """Return what was found, and where, without `NONE`."""
    known = found != NONE
    return places[known], found[known]
