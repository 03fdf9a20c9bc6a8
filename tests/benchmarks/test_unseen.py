"""Rows that nothing sees: how they are taken out, and how they are scored."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import unseen

from amlc import params
from amlc.catalog.intake import DataSettings
from amlc.catalog.products import ID, LINK, PRICE, TEXT

SETTINGS = DataSettings(
    dir="elsewhere", on_invalid="error", folds=2, max_text=100_000, max_bytes=10_000_000
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small catalogue in which each link stands twice and some titles do, too."""
    path = tmp_path_factory.mktemp("catalogue")
    rows = [
        {
            ID: str(100 + row),
            TEXT: f'Item Name: Tea, "No. {row % 110}"\nBullet Point 1: a, b\nValue: None\n',
            LINK: f"https://example.com/{row // 2}.jpg",
            PRICE: 1 + row / 7,
        }
        for row in range(120)
    ]
    pd.DataFrame(rows).to_csv(path / "train.csv", index=False)
    test = {ID: "1", TEXT: "Item Name: Oil", LINK: "https://example.com/oil.jpg"}
    pd.DataFrame([test]).to_csv(path / "test.csv", index=False)
    return path


def test_the_split_shares_no_group(folder: Path) -> None:
    """Neither a link nor a title stands on both sides, and the share is about right."""
    rows = unseen.read_rows(folder, SETTINGS)
    out = unseen.held_out(rows["group"].to_numpy(), 0.25, seed=1)
    assert rows["group"].nunique() < len(rows)
    assert not set(rows["group"][out]) & set(rows["group"][~out])
    assert not set(rows[LINK][out]) & set(rows[LINK][~out])
    assert 0.25 <= out.mean() < 0.35


def test_the_copy_has_the_rows_and_no_price_that_was_held_out(folder: Path, tmp_path: Path) -> None:
    """Both files together are the train rows; what is read back is what was there."""
    rows = unseen.read_rows(folder, SETTINGS)
    out = unseen.held_out(rows["group"].to_numpy(), 0.25, seed=1)
    unseen.prepare_copy(tmp_path, rows, out, "")
    kept = unseen.read_rows(tmp_path / "data/raw", SETTINGS)
    test = pd.read_csv(tmp_path / "data/raw/test.csv", dtype=str)
    pd.testing.assert_frame_equal(
        kept[[ID, TEXT, PRICE]].reset_index(drop=True),
        rows.loc[~out, [ID, TEXT, PRICE]].reset_index(drop=True),
    )
    assert test[ID].tolist() == rows[ID][out].tolist()
    assert PRICE not in test


def test_the_copys_parameters_differ_in_data_and_pictures_alone(
    folder: Path, tmp_path: Path
) -> None:
    """Everything else is as in params.yaml."""
    rows = unseen.read_rows(folder, SETTINGS)
    unseen.prepare_copy(tmp_path, rows, np.arange(len(rows)) < 20, "/pictures")
    expected = params.read(unseen.ROOT / "params.yaml")
    expected["data"]["dir"] = "data/raw"
    expected["images"]["mirror"] = "/pictures"
    assert params.read(tmp_path / "params.yaml") == expected


def test_a_gap_is_scored_with_its_error() -> None:
    """Two independent means: their errors add up in squares."""
    rng = np.random.default_rng(1)
    seen, never = rng.normal(50, 10, 400), rng.normal(52, 10, 100)
    found = unseen.gap("ridge", seen, np.arange(400), never, np.arange(100))
    assert found.difference == pytest.approx(never.mean() - seen.mean())
    assert found.difference_se == pytest.approx(np.hypot(10 / 20, 10 / 10), rel=0.15)
    assert "| ridge | " in unseen.table([found])
