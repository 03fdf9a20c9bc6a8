"""How often terms occur in texts, which decides on those that a vectorizer keeps."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from amlc.arrays import Floats32


class TermCounts:
    """Counts the terms of texts, one text after the other; nothing of a text is kept.

    Parameters
    ----------
    analyze : callable
        Splits a text into terms.
    """

    def __init__(self, analyze: Callable[[str], list[str]]) -> None:
        self._analyze = analyze
        self._count = 0
        # By term: the number of texts that have it, and how often it occurs in all of them.
        self._texts: Counter[str] = Counter()
        self._times: Counter[str] = Counter()

    def add(self, texts: Iterable[str]) -> None:
        """Count the terms of further texts."""
        for text in texts:
            terms = self._analyze(text)
            self._times.update(terms)
            self._texts.update(set(terms))
            self._count += 1

    def vocabulary(self, min_df: int, max_features: int) -> tuple[list[str], Floats32]:
        """Return the terms to keep, sorted, and their inverse document frequencies.

        Parameters
        ----------
        min_df : int
            The number of texts that a term has to be in.
        max_features : int
            The number of terms, of which the most frequent are kept.

        Notes
        -----
        They are those of scikit-learn's TfidfVectorizer, which holds the counts of all texts and
        terms in memory.
        """
        terms = sorted(term for term, texts in self._texts.items() if texts >= min_df)
        if len(terms) > max_features:
            times = np.array([self._times[term] for term in terms], np.float32)
            # The sort decides between terms that are equally frequent: it has to be this one.
            kept = np.sort(np.argsort(-times)[:max_features])
            terms = [terms[index] for index in kept.tolist()]
        texts = np.array([self._texts[term] for term in terms], np.float32)
        # One is added to both numbers, as if one more text had every term.
        idf = np.full_like(texts, self._count + 1)
        idf /= texts + np.float32(1)
        return terms, np.log(idf) + np.float32(1)
