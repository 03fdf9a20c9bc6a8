"""All stages run on catalogues that are smaller than the models expect."""

from pathlib import Path

import pytest

from tests.helpers.tiny import run_pipeline


@pytest.mark.slow
@pytest.mark.parametrize("rows", [20, 99])
def test_a_small_catalogue_gets_prices_and_a_report(
    rows: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LightGBM has too few rows for a split, and says so once."""
    data = run_pipeline(tmp_path, rows=rows, to_report=True)
    assert len((data / "submission.csv").read_text().splitlines()) == 41
    assert (data / "report/index.html").exists()
    assert capsys.readouterr().out.count("train: lightgbm: ") == 2
