"""Held-out rows: how they are chosen, and how they are scored."""

from pathlib import Path

import held_out
import numpy as np
import pandas as pd
import pytest
from checkout import ROOT

from amlc import params
from amlc.catalog.intake import DataSettings
from amlc.catalog.products import ID, LINK, PRICE, TEXT
from amlc.errors import DataError

SETTINGS = DataSettings(
    dir="elsewhere",
    on_invalid="error",
    folds=2,
    placeholder_titles=5,
    max_text=100_000,
    max_bytes=10_000_000,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small catalogue in which every link and some titles occur twice."""
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
    """No link or title is on both sides, and the share is about right."""
    rows = held_out.read_rows(folder, SETTINGS)
    chosen = held_out.choose_held_out(rows["group"].to_numpy(), 0.25, seed=1)
    assert rows["group"].nunique() < len(rows)
    assert not set(rows["group"][chosen]) & set(rows["group"][~chosen])
    assert not set(rows[LINK][chosen]) & set(rows[LINK][~chosen])
    assert 0.25 <= chosen.mean() < 0.35


def test_the_copy_has_all_rows_but_no_held_out_price(folder: Path, tmp_path: Path) -> None:
    """The two files together hold the train rows unchanged, without the held-out prices."""
    rows = held_out.read_rows(folder, SETTINGS)
    chosen = held_out.choose_held_out(rows["group"].to_numpy(), 0.25, seed=1)
    held_out.prepare_copy(tmp_path, rows, chosen, "")
    kept = held_out.read_rows(tmp_path / "data/raw", SETTINGS)
    test = pd.read_csv(tmp_path / "data/raw/test.csv", dtype=str)
    pd.testing.assert_frame_equal(
        kept[[ID, TEXT, PRICE]].reset_index(drop=True),
        rows.loc[~chosen, [ID, TEXT, PRICE]].reset_index(drop=True),
    )
    assert test[ID].tolist() == rows[ID][chosen].tolist()
    assert PRICE not in test


def test_only_data_and_pictures_differ_in_the_copys_parameters(
    folder: Path, tmp_path: Path
) -> None:
    """All other parameters are those of params.yaml."""
    rows = held_out.read_rows(folder, SETTINGS)
    held_out.prepare_copy(tmp_path, rows, np.arange(len(rows)) < 20, "/pictures")
    expected = params.read(ROOT / "params.yaml")
    expected["data"]["dir"] = "data/raw"
    expected["images"]["mirror"] = "/pictures"
    assert params.read(tmp_path / "params.yaml") == expected


def test_a_gap_is_scored_with_its_error() -> None:
    """The squared errors of two independent means add up."""
    rng = np.random.default_rng(1)
    train, test = rng.normal(50, 10, 400), rng.normal(52, 10, 100)
    gap = held_out.gap("ridge", train, np.arange(400), test, np.arange(100))
    assert gap.difference == pytest.approx(test.mean() - train.mean())
    assert gap.difference_se == pytest.approx(np.hypot(10 / 20, 10 / 10), rel=0.15)
    assert "| ridge | " in held_out.table([gap])


def test_an_empty_variable_names_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AMLC_COMPETITION or --data the rows are those of the synthetic catalogue."""

    def refuse(folder: Path, _: DataSettings) -> None:
        raise DataError(str(folder))

    monkeypatch.setenv("AMLC_COMPETITION", "")
    monkeypatch.setattr("sys.argv", ["held_out"])
    monkeypatch.setattr(held_out, "read_rows", refuse)
    with pytest.raises(DataError, match=r"^data/synthetic$"):
        held_out.main()
