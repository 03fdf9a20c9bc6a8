"""The pictures of records."""

from pathlib import Path

import pytest

from amlc.errors import DataError
from amlc.files import write_json
from tools.charts import draw_cost, read_points
from tools.record import RESULTS

HEADER = "| settings | model | SMAPE | standard error | training, s | in all, s | peak MB |"
LINES = [
    HEADER,
    "|---|---|---|---|---|---|---|",
    "| quick | ridge | 54.00 | 0.30 | 4 | 9 | 300 |",
    "| quick | **blend** | 53.00 | 0.30 | 9 | 30 | 400 |",
    "| default | linear | 63.00 | 0.30 | 4 | 9 | 300 |",
    "| default | **blend** | 51.00 | 0.30 | 90 | 200 | 900 |",
]


def keep(root: Path, lines: list[str]) -> None:
    """Write the record."""
    tables = [{"title": "", "lines": lines}]
    write_json(root / RESULTS / "cost.json", {"commit": "abc1234", "tables": tables})


def test_models_that_are_far_behind_are_left_out(tmp_path: Path) -> None:
    """They would leave no room for the others."""
    keep(tmp_path, LINES)
    points = read_points(tmp_path)
    assert [point.model for point in points] == ["ridge", "blend", "blend"]
    assert points[1].is_blend
    assert (points[1].smape, points[1].seconds) == (53.0, 30.0)


def test_the_picture_names_models_and_has_the_same_bytes_again(tmp_path: Path) -> None:
    """Its text is text, and it holds no date."""
    keep(tmp_path, LINES)
    for name in ("a.svg", "b.svg"):
        draw_cost(read_points(tmp_path), tmp_path / name)
    picture = (tmp_path / "a.svg").read_text()
    assert "blend, default" in picture
    assert "ridge" in picture
    assert picture == (tmp_path / "b.svg").read_text()


def test_a_record_without_a_column_is_an_error(tmp_path: Path) -> None:
    """The message names the file and the column."""
    keep(tmp_path, [HEADER.replace("in all, s", "total"), *LINES[1:]])
    with pytest.raises(DataError, match=r"cost\.json: its table lacks the columns in all, s"):
        read_points(tmp_path)


def test_a_model_that_is_the_same_fit_is_shown_once(tmp_path: Path) -> None:
    """With the settings that come first; blends are all there."""
    best = [line.replace("default", "best") for line in LINES[-1:]]
    again = LINES[2].replace("quick", "default").replace("| 9 |", "| 12 |")
    keep(tmp_path, [*LINES, again, *best])
    points = [(point.settings, point.model) for point in read_points(tmp_path)]
    assert points == [
        ("quick", "ridge"),
        ("quick", "blend"),
        ("default", "blend"),
        ("best", "blend"),
    ]
