"""The measurement of how well quantities are read."""

from pathlib import Path

import pytest
from quantities import Counts, Label, compare, differences, read_labels, read_titles, score, table

from amlc.catalog.quantities import Quantity
from amlc.errors import DataError

LABELS = {
    "1": Label("random", {"mass": 100.0, "volume": 0.0, "pieces": 0.0, "packs": 3.0}),
    "2": Label("hard", {"mass": 0.0, "volume": 0.0, "pieces": 12.0}),
}
TITLES = {"1": "Salt, 3 x 100 g", "2": "Tea, 20 Count"}


def test_a_wrong_quantity_counts_against_precision_and_recall() -> None:
    """It is one that was read and one that is stated, but not a right one."""
    scores = score(LABELS, TITLES)
    assert scores["pieces"] == Counts(stated=1, read=1, right=0)
    assert scores["amount"] == scores["packs"] == Counts(stated=1, read=1, right=1)
    assert scores["unit kind"] == Counts(stated=2, read=2, right=2)


def test_without_quantities_nothing_is_wrong() -> None:
    """Precision and recall of nothing are 1."""
    assert (Counts().precision, Counts().recall) == (1.0, 1.0)


def test_ambiguous_quantities_are_left_out() -> None:
    """A title that can be read in several ways is no evidence."""
    fields = [field for field, _, _ in compare(LABELS["2"], Quantity(0, 0, 0, 0))]
    assert "packs" not in fields


def test_the_table_has_every_sample() -> None:
    """The last rows are those of all titles."""
    lines = table(LABELS, TITLES).splitlines()
    assert len(lines) == 2 + 3 * 4
    assert lines[-3] == "| all (2) | pieces | 1 | 0.0% | 0.0% |"


def test_differences_name_the_title() -> None:
    """Each says what was read, and what a person reads."""
    assert list(differences(LABELS, TITLES)) == ["2: pieces 20, not 12\n    Tea, 20 Count"]


def test_every_labelled_product_is_needed(tmp_path: Path) -> None:
    """Another catalogue than the labelled one is an error."""
    path = tmp_path / "train.csv"
    path.write_text("sample_id,catalog_content\n1,Item Name: Tea\n")
    with pytest.raises(DataError, match="1 of 2 labelled products are missing"):
        read_titles(path, {"1", "2"})


@pytest.mark.parametrize(
    ("field", "precision", "recall"),
    [
        ("packs", 0.98, 0.98),
        ("pieces", 0.98, 0.94),
        ("amount", 0.98, 0.98),
        ("unit kind", 0.98, 0.98),
    ],
)
def test_real_titles_are_read_as_a_person_reads_them(
    competition: Path, field: str, precision: float, recall: float
) -> None:
    """Few quantities of the labelled titles are missed or wrong."""
    labels = read_labels()
    counts = score(labels, read_titles(competition / "train.csv", set(labels)))[field]
    assert counts.precision >= precision
    assert counts.recall >= recall
