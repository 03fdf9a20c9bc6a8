"""Held-out rows: how they are chosen, and how they are scored."""

from pathlib import Path

import held_out
import numpy as np
import pandas as pd
import pytest
import yaml
from checkout import ROOT

from amlc import params
from amlc.catalog.intake import DataSettings
from amlc.catalog.products import ID, LINK, PRICE, TEXT
from amlc.errors import DataError, ParamsError

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


def read(folder: Path) -> pd.DataFrame:
    """Return the rows of a folder's train.csv with their groups."""
    return held_out.read_rows(SETTINGS.model_copy(update={"dir": str(folder)}))


def test_parts_share_no_group(folder: Path) -> None:
    """No link or title is in two parts or outside and inside of one, and each has its share."""
    rows = read(folder)
    parts = held_out.choose_parts(rows["group"].to_numpy(), 0.25, 3, seed=1)
    assert rows["group"].nunique() < len(rows)
    sets = [set(rows["group"][part]) for part in (*parts, ~np.logical_or.reduce(parts))]
    assert sum(map(len, sets)) == rows["group"].nunique()
    assert all(0.2 <= part.mean() <= 0.3 for part in parts)


def test_parts_may_have_all_rows() -> None:
    """Five fifths leave no row out."""
    parts = held_out.choose_parts(np.arange(103), 0.2, 5, seed=1)
    assert (np.sum(parts, axis=0) == 1).all()


def test_the_copy_has_all_rows_but_no_held_out_price(folder: Path, tmp_path: Path) -> None:
    """The two files together hold the train rows unchanged, without the held-out prices."""
    rows = read(folder)
    (chosen,) = held_out.choose_parts(rows["group"].to_numpy(), 0.25, 1, seed=1)
    held_out.prepare_copy(tmp_path, rows, chosen, params.read(ROOT / "params.yaml"))
    kept = read(tmp_path / "data/raw")
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
    (folder / "images").mkdir(exist_ok=True)
    source = held_out.read_source(folder, None, 90)
    assert len(source.rows) == 90
    held_out.prepare_copy(tmp_path, source.rows, np.arange(90) < 20, source.settings)
    expected = params.read(ROOT / "params.yaml")
    expected["data"]["dir"] = "data/raw"
    expected["images"]["mirror"] = str(folder / "images")
    assert params.read(tmp_path / "params.yaml") == expected


def test_a_finished_run_needs_no_further_one(folder: Path, tmp_path: Path) -> None:
    """Its settings are used, with folders that do not depend on where the benchmark runs."""
    settings = params.read(ROOT / "params.yaml")
    settings["data"] |= {"dir": "raw", "test": None}
    settings["seed"] = 99
    (tmp_path / "raw").symlink_to(folder)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    source = held_out.read_source(tmp_path, None, None)
    assert source.finished == tmp_path
    assert source.settings["seed"] == 99
    assert Path(source.settings["data"]["dir"]).is_absolute()
    assert len(source.rows) == 120


def test_a_finished_run_on_the_synthetic_catalogue_lends_its_pictures(
    folder: Path, tmp_path: Path
) -> None:
    """The copies have no stage that would make them."""
    settings = params.read(ROOT / "params.yaml")
    (tmp_path / "data").mkdir()
    (tmp_path / settings["data"]["dir"]).symlink_to(folder)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    source = held_out.read_source(tmp_path, None, None)
    assert len(source.rows) == 120
    assert source.settings["images"]["mirror"] == str(tmp_path / "data/synthetic_images")


def test_another_map_of_columns_is_refused(folder: Path, tmp_path: Path) -> None:
    """The copies' files would lack its columns."""
    settings = params.read(ROOT / "params.yaml")
    settings["data"]["columns"]["categories"] = ["brand"]
    settings["data"]["dir"] = str(folder)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ParamsError, match=r"data\.columns"):
        held_out.read_source(tmp_path, None, None)


def test_a_gap_is_paired_by_row() -> None:
    """Rows that are hard in both ways give the difference no error."""
    rng = np.random.default_rng(1)
    ids = [f"row {number}" for number in range(400)]
    out_of_fold = pd.Series(rng.normal(50, 10, 400), ids)
    first = out_of_fold.iloc[100:200] + 0.5 + rng.normal(0, 1, 100)
    second = out_of_fold.iloc[:100] - 0.5 + rng.normal(0, 1, 100)
    groups = pd.Series(np.arange(400), ids)
    gap = held_out.gap("ridge", out_of_fold, [first, second], groups)
    assert gap.by_part == pytest.approx((0.5, -0.5), abs=0.3)
    assert gap.difference == pytest.approx(np.mean(gap.by_part))
    assert gap.out_of_fold == pytest.approx(out_of_fold.iloc[:200].mean())
    assert gap.difference_se < 0.12
    assert "| ridge | " in held_out.table([gap])


def test_an_empty_variable_names_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AMLC_COMPETITION or --data the rows are those of the synthetic catalogue."""

    def refuse(folder: Path, *_: object) -> None:
        raise DataError(str(folder))

    monkeypatch.setenv("AMLC_COMPETITION", "")
    monkeypatch.setattr("sys.argv", ["held_out"])
    monkeypatch.setattr(held_out, "read_source", refuse)
    with pytest.raises(DataError, match=r"^data/synthetic$"):
        held_out.main()
