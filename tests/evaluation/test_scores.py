"""Scores by slice."""

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
    """Return train rows whose prediction is always 1.5 times the price."""
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
    """Evaluate with one member that is always right."""
    table = rows() if frame is None else frame
    return evaluate(table, {"right": table["price"].to_numpy()}, {"right": 1.0}, SETTINGS, seed=1)


def test_smape_is_on_the_scale_to_200() -> None:
    """A price guessed half as high again is off by 40 %."""
    found = result()
    assert found["smape"] == 40.0
    assert found["models"]["right"]["smape"] == 0.0


def test_the_interval_holds_the_score() -> None:
    """With rows that are all off alike, it has no width."""
    assert (result()["smape_low"], result()["smape_high"]) == (40.0, 40.0)


def test_every_slice_covers_all_rows() -> None:
    """No row is lost, none counted twice."""
    for labels in result()["slices"].values():
        assert sum(label["rows"] for label in labels.values()) == 200


def test_slices_have_their_own_scores() -> None:
    """A slice that is predicted badly shows it."""
    frame = rows()
    frame.loc[frame["kind"] == "count", "predicted"] = frame["price"]
    kinds = result(frame)["slices"]["unit_kind"]
    assert (kinds["mass"]["smape"], kinds["count"]["smape"]) == (40.0, 0.0)


def test_coverage_is_the_share_of_prices_inside() -> None:
    """One interval in four starts too high."""
    assert result()["interval"]["coverage"] == 75.0


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
def test_a_prediction_that_is_no_price_stops_the_stage(price: float) -> None:
    """A score must not be computed from it."""
    frame = rows()
    frame.loc[3, "predicted"] = price
    with pytest.raises(CheckError, match="first in train row 3"):
        result(frame)


def test_deciles_are_tenths_from_cheap_to_dear() -> None:
    """Two-digit names sort as text."""
    names, counts = np.unique(price_deciles(np.arange(1.0, 101.0)), return_counts=True)
    assert names.tolist() == [f"{n:02d}" for n in range(1, 11)]
    assert counts.tolist() == [10] * 10


def test_equal_prices_share_a_decile() -> None:
    """A tie is not cut in two."""
    assert len(set(price_deciles(np.full(50, 9.99)))) == 1


def test_the_tables_for_plots_hold_the_same_numbers() -> None:
    """The blend comes first, then the members, best first."""
    metrics = result()
    assert member_table(metrics).splitlines()[1:] == ["blend,40.0,0.0", "right,0.0,0.0"]
    assert "unit_kind,mass,100,40.0" in slice_table(metrics)
