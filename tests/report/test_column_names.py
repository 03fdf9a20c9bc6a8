"""Readable names of feature columns."""

from pathlib import Path

import numpy as np
import pytest

from amlc.errors import DataError
from amlc.features.text.tfidf import TermFeatures, TermsSettings
from amlc.features.text.vocabulary import VectorizerSettings
from amlc.features.text.weight_table import WeightTable
from amlc.report.column_names import readable_names


@pytest.fixture
def encoders(tmp_path: Path) -> Path:
    """Return encoders of two topics."""
    common = {"field": "text", "min_df": 1, "max_features": 50}
    words = VectorizerSettings(analyzer="word", ngram_range=[1, 2], **common)  # type: ignore[arg-type]  # of several types
    parts = VectorizerSettings(analyzer="char_wb", ngram_range=[3, 3], **common)  # type: ignore[arg-type]  # see above
    settings = TermsSettings(max_chars=200, vectorizers={"words": words, "parts": parts})
    features = TermFeatures(settings).fit(["green tea", "black coffee"])
    features.save(tmp_path / "terms")
    size = sum(len(each.terms) for each in features.vocabularies.values())
    weights = np.zeros((size, 2), np.float32)
    terms = features.vocabularies["words"].terms
    for topic, term, weight in (
        *((0, "green tea", 0.9), (0, "tea", 0.8), (0, "coffee", -0.3)),
        *((1, "tea", 0.2), (1, "coffee", -0.7), (1, "black", -0.6)),
    ):
        weights[terms.index(term), topic] = weight
    weights[-1] = 1
    WeightTable.quantize(weights).save(tmp_path / "topics")
    return tmp_path


def test_a_topic_has_its_strongest_words(encoders: Path) -> None:
    """Of the sign of the strongest, without parts of words, and none inside another."""
    names = readable_names(["topics: 0", "topics: 1"], encoders)
    assert names["topics: 0"].startswith("topics: 0 (green tea, ")
    assert names["topics: 1"].startswith("topics: 1 (coffee, black")


def test_a_descriptor_of_pictures_has_its_meaning(tmp_path: Path) -> None:
    """Other columns keep their name; without topics no encoder is read."""
    names = readable_names(["vision: pattern_5", "vision: new", "tabular: log_mass"], tmp_path)
    assert names == {
        "vision: pattern_5": "vision: share of pixels with 5 lighter neighbours in one arc",
        "vision: new": "vision: new",
        "tabular: log_mass": "tabular: log_mass",
    }


def test_a_missing_encoder_is_named(tmp_path: Path) -> None:
    """The message names the stage to run."""
    with pytest.raises(DataError, match="run the stage terms"):
        readable_names(["topics: 0"], tmp_path)
