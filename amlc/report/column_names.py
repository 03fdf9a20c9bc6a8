"""Names of feature columns that a reader understands, in place of those of the blocks."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from amlc import layout
from amlc.features.text.tfidf import TermFeatures
from amlc.features.text.weight_table import WeightTable
from amlc.features.vision.descriptor_names import DESCRIPTORS

# Number of terms that stand for a topic.
TERMS = 4


def readable_names(names: Iterable[str], encoders: Path = layout.ENCODERS) -> dict[str, str]:
    """Return readable names of columns.

    Parameters
    ----------
    names : iterable of str
        Names of columns as "block: column".
    encoders : Path
        ``data/encoders``: the terms and the topics that were fitted to them.

    Returns
    -------
    dict of str to str
        Topics with the words of the largest weights, all of the sign of the largest; descriptors of
        pictures by their meaning; other columns by their own name.

    Raises
    ------
    DataError
        An encoder is missing or malformed, and a topic is among the names.
    """
    parts = {name: name.partition(": ")[::2] for name in names}
    topics = [int(column) for block, column in parts.values() if block == "topics"]
    terms = _strongest_terms(topics, encoders) if topics else {}
    return {name: _readable(name, block, column, terms) for name, (block, column) in parts.items()}


def _readable(name: str, block: str, column: str, terms: dict[int, str]) -> str:
    if block == "topics":
        return f"topics: {column} ({terms[int(column)]})"
    if block == "vision" and column in DESCRIPTORS:
        return f"vision: {DESCRIPTORS[column]}"
    return name


def _strongest_terms(topics: list[int], encoders: Path) -> dict[int, str]:
    """Return the words with the largest weights of each topic."""
    features = TermFeatures.load(encoders / "terms")
    table = WeightTable.load(encoders / "topics")
    words = [
        (vocabulary.first_column + index, term)
        for name, vocabulary in features.vocabularies.items()
        # Parts of words say little.
        if features.settings.vectorizers[name].analyzer == "word"
        for index, term in enumerate(vocabulary.terms)
    ]
    if not words:
        return dict.fromkeys(topics, "no words")
    columns = np.array([column for column, _ in words])
    scale = table.scale[columns]
    return {
        topic: _listed(table.rows[columns, topic] * scale, [term for _, term in words])
        for topic in topics
    }


def _listed(weights: "np.ndarray[tuple[int], np.dtype[np.float32]]", terms: list[str]) -> str:
    strongest = weights[np.abs(weights).argmax()]
    order = np.argsort(-weights * np.sign(strongest or 1), kind="stable")
    chosen: list[str] = []
    for position in order[: 4 * TERMS]:
        # "green tea" says what "green" and "tea" say.
        if not any(terms[position] in other or other in terms[position] for other in chosen):
            chosen.append(terms[position])
    return ", ".join(chosen[:TERMS])
