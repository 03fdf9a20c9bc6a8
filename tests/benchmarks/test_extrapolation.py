"""The check of the extrapolation: what is compared, and how it is shown."""

from pathlib import Path

import extrapolation
import numpy as np
import pandas as pd
import pytest
from extrapolation import checks, make_runs, table
from learning_curve import Scores

from amlc import params

SIZES = np.array([700.0, 1400.0, 2800.0, 5600.0])


def test_a_score_on_the_curve_is_predicted() -> None:
    """Without noise, the scores of more rows lie where the curve leads."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (400, 1))
    few = Scores(
        {"ridge": 40 + 200 * SIZES**-0.4 + noise}, np.arange(400), np.arange(400) % 5, SIZES
    )
    large = 40 + 200 * 60_000.0**-0.4 + noise
    scores = {"ridge": large, "blend": large}
    everything = Scores(scores, np.arange(400), np.zeros(400), np.array([60_000.0]))
    (check,) = checks(few, everything, seed=1)
    estimate, low, high = check.predicted
    assert estimate == pytest.approx(check.measured, abs=0.05)
    assert low <= estimate <= high
    text = table([check], SIZES)
    assert "extrapolated to 60,000" in text
    assert text.count("\n") == 2


def test_the_curve_sees_only_the_first_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the large catalogue, and have features of their own."""
    ran = []

    def reproduce(folder: Path, *targets: str, jobs: int = 1) -> None:
        ran.append((folder.name, targets, jobs))
        if targets == ("synthetic",):
            rows = params.value("synthetic.rows", folder / "params.yaml")
            (folder / "data/synthetic").mkdir(parents=True)
            table = pd.DataFrame({"sample_id": range(rows), "catalog_content": "NA"})
            table.to_csv(folder / "data/synthetic/train.csv", index=False)

    monkeypatch.setattr(extrapolation, "reproduce", reproduce)
    few, everything = make_runs(tmp_path, 30, 10, jobs=3)
    first = pd.read_csv(few / "data/raw/train.csv", keep_default_na=False)
    assert first["sample_id"].tolist() == list(range(10))
    assert set(first["catalog_content"]) == {"NA"}
    assert params.value("data.dir", everything / "params.yaml") == "data/synthetic"
    assert sorted(ran[1:]) == [(name, extrapolation.FEATURES, 3) for name in ("all", "few")]
