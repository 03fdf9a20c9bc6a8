"""Scores overall, by slice and of held-out rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlc.errors import CheckError
from amlc.evaluation.scores import (
    EvaluateSettings,
    evaluate,
    member_table,
    price_deciles,
    slice_table,
)

SETTINGS = EvaluateSettings(bootstrap_draws=200, bootstrap_level=0.95)


def rows(count: int = 200) -> pd.DataFrame:
    """Return train rows whose prediction is 1.5 times the price."""
    price = np.linspace(1, 100, count)
    return pd.DataFrame(
        {
            "price": price,
            "predicted": 1.5 * price,
            "low": np.where(np.arange(count) % 4 == 0, 2 * price, 0.5 * price),
            "high": 3 * price,
            "fold": np.arange(count) % 5,
            "group": np.arange(count),
            "kind": np.where(np.arange(count) % 2 == 0, "mass", "count"),
            "pictured": np.arange(count) % 10 == 0,
        }
    )


def result(frame: pd.DataFrame | None = None) -> dict[str, Any]:
    """Evaluate with one member that predicts the exact price."""
    table = rows() if frame is None else frame
    return evaluate(table, {"right": table["price"].to_numpy()}, {"right": 1.0}, SETTINGS, seed=1)


def test_smape_is_on_the_scale_to_200() -> None:
    """A prediction of 1.5 times the price has a SMAPE of 40 %."""
    scores = result()
    assert scores["smape"] == 40.0
    assert scores["models"]["right"]["smape"] == 0.0


def test_the_interval_contains_the_score() -> None:
    """The interval of equal row scores has no width."""
    assert (result()["smape_low"], result()["smape_high"]) == (40.0, 40.0)


def test_every_slice_covers_all_rows() -> None:
    """Each row is counted exactly once."""
    for labels in result()["slices"].values():
        assert sum(label["rows"] for label in labels.values()) == 200


def test_slices_have_their_own_scores() -> None:
    """Each slice has the mean score of its rows."""
    frame = rows()
    frame.loc[frame["kind"] == "count", "predicted"] = frame["price"]
    kinds = result(frame)["slices"]["unit_kind"]
    assert (kinds["mass"]["smape"], kinds["count"]["smape"]) == (40.0, 0.0)


def test_coverage_is_the_share_of_prices_inside_their_interval() -> None:
    """One interval in four starts above the price."""
    assert result()["interval"]["coverage"] == 75.0


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
def test_a_prediction_that_is_not_a_price_stops_the_stage(price: float) -> None:
    """No score is computed from it."""
    frame = rows()
    frame.loc[3, "predicted"] = price
    with pytest.raises(
        CheckError, match=r"blend: 1 predicted prices .* the first is that of row 3"
    ):
        result(frame)


def test_deciles_are_tenths_from_cheap_to_expensive() -> None:
    """Their names have two digits, so they sort as text."""
    names, counts = np.unique(price_deciles(np.arange(1.0, 101.0)), return_counts=True)
    assert names.tolist() == [f"{n:02d}" for n in range(1, 11)]
    assert counts.tolist() == [10] * 10


def test_equal_prices_share_a_decile() -> None:
    """Rows of one price are not split between two deciles."""
    assert len(set(price_deciles(np.full(50, 9.99)))) == 1


def test_the_tables_for_plots_hold_the_same_numbers() -> None:
    """The blend comes first, then the members, best first."""
    metrics = result()
    assert member_table(metrics).splitlines()[1:] == ["blend,40.0,0.0", "right,0.0,0.0"]
    assert "unit_kind,mass,100,40.0" in slice_table(metrics)


def test_held_out_rows_have_their_own_score() -> None:
    """The gap is their score less the out-of-fold score."""
    test = rows(50).assign(predicted=lambda frame: frame["price"])
    members, weights = {"right": rows()["price"].to_numpy()}, {"right": 1.0}
    scores = evaluate(rows(), members, weights, SETTINGS, 1, test)["held_out"]
    assert (scores["rows"], scores["smape"], scores["gap"]) == (50, 0.0, -40.0)
    assert result()["held_out"] is None
