"""Scores overall, by slice and of held-out rows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amlc.errors import CheckError
from amlc.evaluation.metrics_files import Details, Scores
from amlc.evaluation.scores import EvaluateSettings, evaluate, price_deciles, write_tables

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


def result(frame: pd.DataFrame | None = None) -> tuple[Scores, Details]:
    """Evaluate with one member that predicts the exact price."""
    table = rows() if frame is None else frame
    return evaluate(table, {"right": table["price"].to_numpy()}, {"right": 1.0}, SETTINGS, seed=1)


def test_smape_is_on_the_scale_to_200() -> None:
    """A prediction of 1.5 times the price has a SMAPE of 40 %."""
    scores, details = result()
    assert scores.smape == pytest.approx(40)
    assert details.models["right"].smape == scores.models["right"] == 0


def test_the_interval_contains_the_score() -> None:
    """The interval of equal row scores has no width."""
    scores, _ = result()
    assert (scores.smape_low, scores.smape_high) == pytest.approx((40, 40))


def test_every_slice_covers_all_rows() -> None:
    """Each row is counted exactly once."""
    slices = result()[1].slices
    for labels in (slices.price_decile, slices.image, slices.unit_kind):
        assert sum(label.rows for label in labels.values()) == 200


def test_slices_have_their_own_scores() -> None:
    """Each slice has the mean score of its rows."""
    frame = rows()
    frame.loc[frame["kind"] == "count", "predicted"] = frame["price"]
    kinds = result(frame)[1].slices.unit_kind
    assert kinds["mass"].smape == pytest.approx(40)
    assert kinds["count"].smape == 0


def test_coverage_is_the_share_of_prices_inside_their_interval() -> None:
    """One interval in four starts above the price."""
    assert result()[1].interval.coverage == 75


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


def test_the_tables_for_plots_hold_the_same_numbers(tmp_path: Path) -> None:
    """The blend comes first, then the members, best first."""
    write_tables(tmp_path, *result())
    models, slices = ((tmp_path / f"{name}.csv").read_text() for name in ("models", "slices"))
    assert models == "model,smape,smape_se\nblend,40.0,0.0\nright,0.0,0.0\n"
    assert slices.startswith("slice,label,rows,smape\nprice_decile,01,20,40.0\n")
    assert "\nunit_kind,mass,100,40.0\n" in slices


def test_files_hold_rounded_numbers(tmp_path: Path) -> None:
    """Four decimals are more than their error allows."""
    scores, _ = result(rows().assign(predicted=lambda frame: 1.37 * frame["price"]))
    scores.write(tmp_path / "metrics.json")
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["smape"] == round(scores.smape, 4) != scores.smape


def test_held_out_rows_have_their_own_score() -> None:
    """The gap is their score less the out-of-fold score."""
    test = rows(50).assign(predicted=lambda frame: frame["price"])
    members, weights = {"right": rows()["price"].to_numpy()}, {"right": 1.0}
    held_out = evaluate(rows(), members, weights, SETTINGS, 1, test)[1].held_out
    assert held_out is not None
    assert (held_out.rows, held_out.smape) == (50, 0)
    assert held_out.gap == pytest.approx(-40)
    assert result()[1].held_out is None


def test_members_have_a_score_of_held_out_rows() -> None:
    """It is missing where no test row has a known price."""
    test = rows(50)
    members, weights = {"right": rows()["price"].to_numpy()}, {"right": 1.0}
    of_test = {"right": 1.5 * test["price"].to_numpy()}
    details = evaluate(rows(), members, weights, SETTINGS, 1, test, of_test)[1]
    assert details.models["right"].smape_held_out == pytest.approx(40)
    assert result()[1].models["right"].smape_held_out is None
