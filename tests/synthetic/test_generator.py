"""The synthetic catalogue as a whole."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.integrate import quad
from scipy.stats import norm

from amlc import params
from amlc.errors import ParamsError
from amlc.synthetic import generator
from amlc.synthetic.generator import SyntheticSettings, make_rows, write_catalogue
from tests.helpers.catalogues import SMALL

# Keys of train rows are odd.
TRAIN_KEYS = 2 * np.arange(2_000, dtype=np.int64) + 1


def settings(**changed: Any) -> SyntheticSettings:
    """Return small settings, some of them changed."""
    return SyntheticSettings(**{**SMALL, **changed})


def write(folder: Path, seed: int, **changed: Any) -> dict[str, float | int]:
    """Write a small catalogue, its pictures beside its tables."""
    return write_catalogue(folder, images(folder), seed, settings(**changed))


def images(folder: Path) -> Path:
    """Return where the pictures of a catalogue are."""
    return folder.with_name(f"{folder.name}_images")


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by its relative name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as text."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small synthetic catalogue."""
    path = tmp_path_factory.mktemp("generator") / "synthetic"
    write(path, 20)
    return path


def test_reruns_give_the_same_bytes_whatever_the_chunks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with other chunks writes the same bytes to every file."""
    monkeypatch.setattr(generator, "CHUNK_ROWS", 7)
    write(tmp_path / "again", 20)
    again = tmp_path / "again"
    assert contents(again) == contents(folder)
    assert contents(images(again)) == contents(images(folder))


def test_another_seed_gives_another_catalogue(folder: Path, tmp_path: Path) -> None:
    """The two catalogues have no text in common."""
    write(tmp_path / "other", 21, images=False)
    other = {row["catalog_content"] for row in read(tmp_path / "other" / "train.csv")}
    assert not other & {row["catalog_content"] for row in read(folder / "train.csv")}


def test_more_rows_leave_the_first_rows_unchanged(folder: Path, tmp_path: Path) -> None:
    """A larger catalogue starts with the rows of a smaller one."""
    write(tmp_path / "more", 20, rows=200, images=False)
    assert read(tmp_path / "more" / "train.csv")[:120] == read(folder / "train.csv")


def test_the_files_are_in_the_competitions_format(folder: Path) -> None:
    """Columns and numbers of rows are right, and prices are positive."""
    train, test = read(folder / "train.csv"), read(folder / "test.csv")
    assert list(train[0]) == ["sample_id", "catalog_content", "image_link", "price"]
    assert list(test[0]) == ["sample_id", "catalog_content", "image_link", "price"]
    assert (len(train), len(test)) == (120, 40)
    assert all(float(row["price"]) > 0 for row in train)
    assert all(row["catalog_content"].startswith("Item Name: ") for row in train + test)


def test_ids_are_unique_positive_and_in_no_order(folder: Path) -> None:
    """Train and test rows have no id in common, and neither file is sorted."""
    train, test = (
        [int(row["sample_id"]) for row in read(folder / name)] for name in ("train.csv", "test.csv")
    )
    assert len({*train, *test}) == 160
    assert min(*train, *test) > 0
    assert 40 < np.sum(np.diff(train) > 0) < 80


def test_ids_stay_unique_over_the_largest_keys() -> None:
    """Fifty thousand keys at the end of the range have fifty thousand ids."""
    keys = 200_000_000 - np.arange(50_000, dtype=np.int64)
    ids = generator.sample_ids(20, keys)
    assert len(set(ids.tolist())) == 50_000
    assert ids.min() > 0


def test_test_prices_are_an_extra_column(folder: Path, tmp_path: Path) -> None:
    """Without it, test.csv has the same rows in the competition's columns."""
    rows = read(folder / "test.csv")
    assert all(float(row.pop("price")) > 0 for row in rows)
    write(tmp_path / "plain", 20, test_prices=False)
    assert read(tmp_path / "plain/test.csv") == rows


def test_the_folder_has_the_pictures_of_most_links(folder: Path) -> None:
    """About the share that the settings ask for is missing, and there are no other files."""
    names = {
        row["image_link"].rsplit("/", 1)[1]
        for name in ("train.csv", "test.csv")
        for row in read(folder / name)
    }
    drawn = {path.name for path in images(folder).iterdir()}
    assert drawn < names
    assert 0.08 < 1 - len(drawn) / len(names) < 0.35


def test_the_file_of_a_link_has_its_picture(folder: Path) -> None:
    """The picture of each row, where it is not missing, is the one that its `Packshot` draws."""
    rows = make_rows(20, settings(), TRAIN_KEYS[:30])
    for packshot, missing in zip(rows["packshot"], rows["missing"], strict=True):
        path = images(folder) / packshot.link().rsplit("/", 1)[1]
        assert path.exists() != missing
        assert missing or path.read_bytes() == packshot.encode()


def test_a_picture_is_missing_in_every_row_of_its_link_or_in_none() -> None:
    """The same link never has a picture in one row and none in another."""
    rows = make_rows(20, settings(missing_images=0.5), TRAIN_KEYS)
    by_link = rows.groupby("image_link")["missing"]
    assert (by_link.nunique() == 1).all()
    assert by_link.ngroups < len(rows)
    assert set(rows["missing"]) == {True, False}


def test_without_images_the_folder_is_empty(tmp_path: Path) -> None:
    """The CSV files are the same."""
    write(tmp_path / "bare", 20, images=False)
    assert list(images(tmp_path / "bare").iterdir()) == []
    assert len(read(tmp_path / "bare" / "train.csv")) == 120


def test_the_noise_floor_agrees_with_theory(tmp_path: Path) -> None:
    """For log-normal noise it is the mean of 200 tanh(|D| / 2) over a normal D."""
    numbers = write(tmp_path / "many", 20, rows=8_000, images=False)
    expected = 2 * quad(lambda z: 200 * np.tanh(0.39 * z / 2) * norm.pdf(z), 0, 10)[0]
    assert numbers["smape_floor"] == pytest.approx(expected, abs=1.0)
    assert numbers["smape_constant"] > 2 * numbers["smape_floor"]


def test_without_noise_the_floor_is_due_to_rounding(tmp_path: Path) -> None:
    """Median and price differ by the rounding to cents only."""
    numbers = write(tmp_path / "quiet", 20, noise=0.0, images=False)
    assert numbers["smape_floor"] < 0.3


@pytest.mark.parametrize(
    ("key", "wrong"),
    [("rows", 0), ("missing_images", 0.6), ("noise", -0.1), ("images", 1)],
)
def test_a_setting_out_of_range_is_named(tmp_path: Path, key: str, wrong: object) -> None:
    """The error has the dotted path of the key."""
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"synthetic": {**SMALL, key: wrong}}), encoding="utf-8")
    with pytest.raises(ParamsError, match=f"synthetic.{key}"):
        params.load(SyntheticSettings, "synthetic", path)
