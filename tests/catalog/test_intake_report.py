"""The list of errors, and the counts of metrics/data.json."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd

from amlc.catalog.intake import CheckedCatalogue
from amlc.catalog.intake_report import REJECTED_COLUMNS, data_metrics, write_rejected
from amlc.catalog.sheet import RowError
from tests.catalog.test_intake import read, row


def test_rejected_csv_lists_each_error_and_its_consequence(tmp_path: Path) -> None:
    """Each line has file, line, id, column, reason, the cell, and what was done to the row."""
    catalogue = read(tmp_path, row(1) + row(2, price='"$1,5"'), "8,None,\n9,oil,x\n")
    write_rejected(tmp_path / "rejected.csv", catalogue)
    with (tmp_path / "rejected.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [
            list(REJECTED_COLUMNS),
            ["train.csv", "3", "2", "price", "price_not_number", "$1,5", "dropped"],
            [
                *("test.csv", "2", "8", "catalog_content", "text_and_link_missing", "None"),
                "text and link left empty",
            ],
            ["test.csv", "3", "9", "image_link", "link_malformed", "x", "link left empty"],
        ]


def test_rejected_csv_has_no_formulas(tmp_path: Path) -> None:
    """A spreadsheet that opens it shows ids and cells as they are in the catalogue."""
    catalogue = read(tmp_path, row("=cmd|1", price="=1+1") + row(2, price=-5) + row(3))
    write_rejected(tmp_path / "rejected.csv", catalogue)
    with (tmp_path / "rejected.csv").open(encoding="utf-8", newline="") as stream:
        cells = [(line["sample_id"], line["found"]) for line in csv.DictReader(stream)]
    assert cells == [("'=cmd|1", "'=1+1"), ("2", "'-5")]


def test_rejected_csv_without_errors_is_a_header(tmp_path: Path) -> None:
    """The file is written in any case."""
    write_rejected(tmp_path / "rejected.csv", read(tmp_path, row(1)))
    content = (tmp_path / "rejected.csv").read_bytes()
    assert content == b"file,line,sample_id,column,reason,found,action\n"


def row_errors(*reasons: tuple[int, str]) -> list[RowError]:
    """Return errors by row and reason."""
    return [RowError(row, row + 2, str(row), "", reason, "") for row, reason in reasons]


def products() -> pd.DataFrame:
    """Return four train rows in two folds, and two test rows."""
    return pd.DataFrame(
        {
            "split": ["train"] * 4 + ["test"] * 2,
            "catalog_content": ["tea", "", "", "oil", "", "rye"],
            "image_link": ["https://h/a", "https://h/b", "https://h/c", "", "", ""],
            "price": [1.0, 2.0, 3.0, 10.0, np.nan, np.nan],
            "group": np.array([0, 0, 1, 2, 2, 3], dtype=np.int32),
            "fold": np.array([0, 0, 1, 1, -1, -1], dtype=np.int8),
        }
    )


def test_metrics_count_rows_reasons_groups_and_folds() -> None:
    """A row with two reasons is one rejected row, and counts once for each reason."""
    rejected = row_errors((4, "price_missing"), (4, "link_malformed"), (5, "price_missing"))
    flagged = row_errors((0, "text_long"), (0, "link_malformed"))
    catalogue = CheckedCatalogue(products(), rejected, flagged, train_total=6, test_total=2)
    metrics = data_metrics(catalogue, products(), {"https://h/none": 6})
    assert metrics["placeholder_links"] == {"https://h/none": 6}
    assert metrics["train"] == {
        "read": 6,
        "kept": 4,
        "rejected": 2,
        "rejected_by_reason": {"price_missing": 2, "link_malformed": 1},
        "without_price": 0,
        "held_out": 0,
        "without_text": 2,
        "without_link": 1,
    }
    assert metrics["test"] == {
        "rows": 2,
        "flagged": 1,
        "flagged_by_reason": {"text_long": 1, "link_malformed": 1},
        "without_text": 1,
        "without_link": 2,
    }
    assert metrics["groups"] == {
        "count": 4,
        "largest": 2,
        "of_several_rows": 2,
        "rows_in_them": 4,
        "in_both_splits": 1,
    }
    assert metrics["folds"] == {
        "0": {"rows": 2, "median_price": 1.5},
        "1": {"rows": 2, "median_price": 6.5},
    }


def test_metrics_describe_the_train_prices() -> None:
    """The quantiles are interpolated linearly; test rows are left out."""
    prices = data_metrics(CheckedCatalogue(products(), [], [], 4), products(), {})["price"]
    assert prices["min"] == 1
    assert prices["q25"] == 1.75
    assert prices["median"] == 2.5
    assert prices["max"] == 10


def test_metrics_are_plain_json() -> None:
    """They contain no NumPy numbers."""
    text = json.dumps(
        data_metrics(CheckedCatalogue(products(), [], [], 4), products(), {}), allow_nan=False
    )
    assert json.loads(text)["train"]["kept"] == 4
