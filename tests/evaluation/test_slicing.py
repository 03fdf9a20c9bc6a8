"""The costliest slices of the products."""

import numpy as np
import pandas as pd
import pytest

from amlc.evaluation import slicing
from amlc.evaluation.slicing import costliest, slice_labels
from amlc.features.blocks import Tabular
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours


def labels(**kinds: list[str]) -> dict[str, np.ndarray]:
    """Return labels as arrays."""
    return {kind: np.array(values, dtype=object) for kind, values in kinds.items()}


def test_the_cost_is_what_the_score_would_fall_by() -> None:
    """With the slice at the mean of the other products."""
    scores = np.array([90.0] * 20 + [40.0] * 80)
    (cost,) = costliest(scores, labels(brand=["acme"] * 20 + ["other"] * 80), 5)
    assert (cost.kind, cost.label, cost.rows, cost.smape) == ("brand", "acme", 20, 90)
    assert cost.cost == pytest.approx(scores.mean() - 40)
    assert cost.smape_se == 0


def test_slices_with_almost_the_same_products_count_once() -> None:
    """A brand is often a first word, too; the costlier name is kept."""
    scores = np.array([90.0] * 20 + [40.0] * 80)
    brand = ["acme"] * 20 + [""] * 80
    word = ["acme"] * 18 + [""] * 82
    found = costliest(scores, labels(brand=brand, word=word), 5)
    assert [cost.kind for cost in found] == ["brand"]


def test_small_slices_and_those_of_all_products_are_left_out() -> None:
    """Chance alone would make them the worst."""
    scores = np.array([150.0] * 5 + [40.0] * 95)
    found = costliest(scores, labels(brand=["rare"] * 5 + [""] * 95, unit=["mass"] * 100), 5)
    assert found == []


def test_only_so_many_are_kept_and_the_costliest_comes_first() -> None:
    """They may overlap a little."""
    scores = np.repeat([90.0, 80.0, 70.0, 20.0], 25)
    found = costliest(scores, labels(brand=list(np.repeat(["a", "b", "c", "d"], 25))), 2)
    assert [cost.label for cost in found] == ["a", "b"]


def test_products_are_sliced_by_categories_keys_and_similarity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The nearest product is the first in another fold, as for the models."""
    monkeypatch.setattr(slicing, "_ROWS_AT_ONCE", 3)
    frame = pd.DataFrame(
        {
            "cat_kind": pd.Categorical(["mass", "count"] * 5),
            "key_brand": pd.array(["acme", ""] * 5, dtype="str"),
        }
    )
    rows = np.full((10, 2), NO_NEIGHBOUR, np.int32)
    rows[:5] = [9, 0]
    similarity = np.tile(np.array([2.0, 1.0], np.float32), (10, 1))
    among = np.ones((10, 1), np.float16)
    neighbours = Neighbours(rows, similarity, np.arange(10, dtype=np.int32), among)
    folds = np.array([0, 1, 0, 1, 0, 0, 1, 0, 1, 0])
    found = slice_labels(Tabular.from_frame(frame), NeighbourBlock(neighbours), folds)
    assert found["kind of unit"].tolist() == ["mass", "count"] * 5
    assert found["brand"].tolist() == ["acme", ""] * 5
    nearest = found["nearest product"].tolist()
    # Rows 0, 2 and 4 share a fold with both neighbours, and rows from 5 on have none.
    assert nearest[1] == nearest[3] == "most similar fifth"
    assert len({nearest[row] for row in (0, 2, 4, 5, 9)}) == 1
