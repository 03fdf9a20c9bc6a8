"""The stage prepare writes all its outputs or none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from amlc.catalog.products import read_products
from amlc.errors import DataError
from stages import prepare

OUTPUTS = ("data/products.parquet", "data/rejected.csv", "metrics/data.json")
PARAMS = """\
seed: 20
data:
  dir: {folder}
  train: train.csv
  test: test.csv
  columns: {{id: sample_id, product: [], text: catalog_content, quantity: null, image: image_link,
    price: price, categories: [], numbers: [], dates: [], currency: null}}
  rates: {{}}
  on_extra: ignore
  read: {{separator: ",", quote: '"', encoding: utf-8, decimal: ".", thousands: null,
    currency_signs: false, date_format: iso, images: links, image_separator: null,
    max_images: 8, sheet: null}}
  holdout: 0.0
  on_invalid: {on_invalid}
  folds: 5
  placeholder_titles: 5
  max_text: 100000
  max_bytes: 1000000000
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which has 60 train rows and 20 test rows in raw."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    train = [f"{n},Item Name: T{n % 50},https://h/{n}.jpg,{n + 0.5}" for n in range(60)]
    test = [f"t{n},Item Name: T{n},https://h/t{n}.jpg" for n in range(20)]
    header = "sample_id,catalog_content,image_link"
    (tmp_path / "raw/train.csv").write_text("\n".join([f"{header},price", *train]))
    (tmp_path / "raw/test.csv").write_text("\n".join([header, *test]))
    configure("error")
    return tmp_path


def configure(on_invalid: str, folder: str = "raw") -> None:
    """Write params.yaml."""
    Path("params.yaml").write_text(PARAMS.format(folder=folder, on_invalid=on_invalid))


def append(path: str, line: str) -> None:
    """Add a row to a file."""
    with Path(path).open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}")


@pytest.mark.usefixtures("repository")
def test_products_have_groups_and_folds() -> None:
    """Ten pairs of train rows have a title in common, and twenty test rows one with train rows."""
    prepare.main()
    products = read_products(Path("data/products.parquet"))
    train, test = products[:60], products[60:]
    assert products["group"].nunique() == 50
    assert (train.groupby("group")["fold"].nunique() == 1).all()
    assert np.bincount(train["fold"]).tolist() == [12] * 5
    assert set(test["fold"]) == {-1}
    assert test["group"].tolist() == train["group"].tolist()[:20]


@pytest.mark.usefixtures("repository")
def test_a_rerun_writes_the_same_bytes() -> None:
    """The same inputs give the same hashes."""
    prepare.main()
    first = [Path(path).read_bytes() for path in OUTPUTS]
    prepare.main()
    assert [Path(path).read_bytes() for path in OUTPUTS] == first


@pytest.mark.usefixtures("repository")
def test_windows_line_endings_and_a_byte_order_mark_make_no_difference() -> None:
    """A catalogue that was saved by another program gives the same product table."""
    prepare.main()
    expected = Path(OUTPUTS[0]).read_bytes()
    for path in (Path("raw/train.csv"), Path("raw/test.csv")):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    prepare.main()
    assert Path(OUTPUTS[0]).read_bytes() == expected


@pytest.mark.usefixtures("repository")
def test_an_error_writes_nothing() -> None:
    """One invalid price is enough: no output is written."""
    append("raw/train.csv", "x,Item Name: X,https://h/x.jpg,free")
    with pytest.raises(DataError, match=r"line 62 \('free'\)"):
        prepare.main()
    assert not any(Path(path).exists() for path in OUTPUTS)


@pytest.mark.usefixtures("repository")
def test_drop_counts_and_lists_the_rows_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """They are in metrics/data.json and data/rejected.csv, and the stage prints their number."""
    append("raw/train.csv", "x,Item Name: X,https://h/x.jpg,free")
    append("raw/test.csv", "y,,https://h/y.jpg\nz,nan,nan")
    configure("drop")
    prepare.main()
    metrics = json.loads(Path("metrics/data.json").read_text())
    assert (metrics["train"]["read"], metrics["train"]["rejected"]) == (61, 1)
    assert metrics["test"] == {
        "rows": 22,
        "flagged": 1,
        "flagged_by_reason": {"text_and_link_missing": 1},
        "without_text": 2,
        "without_link": 1,
    }
    assert len(Path("data/rejected.csv").read_text().splitlines()) == 3
    printed = capsys.readouterr().out
    assert "60 train rows (1 rejected), 22 test rows (1 flagged)" in printed
    assert "prepare: 2 test rows have no text, 1 no link" in printed


@pytest.mark.usefixtures("repository")
def test_too_few_rows_for_the_folds_write_nothing() -> None:
    """The message has the numbers and the setting."""
    lines = Path("raw/train.csv").read_text().splitlines()
    Path("raw/train.csv").write_text("\n".join(lines[:4]))
    with pytest.raises(DataError, match=r"3 groups .* too few for 5 folds: .*data\.folds"):
        prepare.main()
    assert not any(Path(path).exists() for path in OUTPUTS)


@pytest.mark.usefixtures("repository")
def test_a_link_beside_many_titles_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Its rows are no group; the stage prints it with its rows, which metrics/data.json has too."""
    for number in range(30):
        append("raw/train.csv", f"n{number},Item Name: N{number},https://h/no-image.gif,9")
    prepare.main()
    metrics = json.loads(Path("metrics/data.json").read_text())
    assert metrics["placeholder_links"] == {"https://h/no-image.gif": 30}
    assert metrics["groups"]["largest"] == 3
    assert "https://h/no-image.gif (30 rows)" in capsys.readouterr().out
    products = read_products(Path("data/products.parquet"))
    assert np.bincount(products["fold"][products["fold"] >= 0]).tolist() == [18] * 5


@pytest.mark.usefixtures("repository")
def test_a_giant_group_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that share a link and most of a title may be one product, or a mistake."""
    for number in range(60):
        append("raw/train.csv", f"n{number},Item Name: Big Tea {number},https://h/no.gif,9")
    prepare.main()
    assert "one group has 60 of 140 rows" in capsys.readouterr().out


@pytest.mark.usefixtures("repository")
def test_rows_without_text_or_link_train(capsys: pytest.CaptureFixture[str]) -> None:
    """They are products with a fold, in groups of their own, and they are counted."""
    for number in range(5):
        append("raw/train.csv", f"n{number},Item Name: N{number},NaN,{number + 1}")
        append("raw/train.csv", f"m{number},nan,https://h/m{number}.jpg,{number + 1}")
    prepare.main()
    products = read_products(Path("data/products.parquet"))
    train = products[products["split"] == "train"][60:]
    assert len(train) == train["group"].nunique() == 10
    assert (train["fold"] >= 0).all()
    metrics = json.loads(Path("metrics/data.json").read_text())
    assert (metrics["train"]["without_text"], metrics["train"]["without_link"]) == (5, 5)
    assert "prepare: 5 train rows have no text, 5 no link" in capsys.readouterr().out


def test_the_program_ends_with_one_message(repository: Path) -> None:
    """It has exit code 1 and an error message on stderr without a traceback."""
    Path("raw/train.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    configure("drop")
    done = subprocess.run(
        [sys.executable, "-m", "stages.prepare"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(Path(prepare.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "raw/train.csv: is a PNG image, not a CSV file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_competition_has_no_errors(competition: Path, repository: Path) -> None:
    """Every row of the real files is kept, and the folds have equal sizes."""
    configure("error", str(competition))
    prepare.main()
    metrics = json.loads((repository / "metrics/data.json").read_text())
    assert metrics["train"]["kept"] == metrics["train"]["read"] == 7000
    assert [fold["rows"] for fold in metrics["folds"].values()] == [1400] * 5
