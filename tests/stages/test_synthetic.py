"""The stage that makes the synthetic catalogue."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from stages import synthetic
from tests.helpers.catalogues import SMALL


def test_it_writes_the_catalogue_and_its_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints the noise floor that it writes to metrics/synthetic.json."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(
        yaml.safe_dump({"seed": 20, "synthetic": {**SMALL, "rows": 30}}), encoding="utf-8"
    )
    synthetic.main()
    numbers = json.loads(Path("metrics/synthetic.json").read_text(encoding="utf-8"))
    assert set(numbers) == {"rows", "test_rows", "smape_floor", "smape_constant"}
    assert f"{numbers['smape_floor']:.2f} %" in capsys.readouterr().out
    with Path("data/synthetic/train.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 30
