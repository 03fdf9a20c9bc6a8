"""How long a model took, kept outside the repository."""

import hashlib
from pathlib import Path

import pytest

from amlc.models.timings import Timing, md5, peak_bytes, record, recorded

TIMING = Timing(seconds=3.5, fit_seconds=6.0, predict_seconds=0.5, peak_bytes=400_000_000)


@pytest.fixture
def predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of predictions, with a store beside it."""
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))
    path = tmp_path / "predictions.parquet"
    path.write_bytes(b"predictions")
    return path


def test_a_timing_is_found_by_the_predictions_alone(predictions: Path) -> None:
    """The MD5 is the one that DVC has for the file in every revision."""
    record(predictions, TIMING)
    assert recorded(hashlib.md5(b"predictions").hexdigest()) == TIMING


def test_other_predictions_have_no_timing(predictions: Path) -> None:
    """A model of another machine was not timed here."""
    record(predictions, TIMING)
    predictions.write_bytes(b"others")
    assert recorded(md5(predictions)) is None
    assert recorded(None) is None


@pytest.mark.parametrize("content", ["", "[]", '{"seconds": -1}', "{" * 20_000])
def test_a_damaged_timing_counts_as_none(predictions: Path, content: str) -> None:
    """No result depends on it."""
    record(predictions, TIMING)
    (path,) = (predictions.parent / "store/timings").glob("*.json")
    path.write_text(content)
    assert recorded(md5(predictions)) is None


def test_a_store_that_cannot_be_written_costs_only_the_timing(predictions: Path) -> None:
    """The stage that recorded it goes on."""
    (predictions.parent / "store").write_text("a file")
    record(predictions, TIMING)
    assert recorded(md5(predictions)) is None


def test_the_peak_is_at_least_what_is_held_now() -> None:
    """It is in bytes."""
    block = bytearray(50_000_000)
    assert peak_bytes() > len(block)
