"""The model card says what the model is good for."""

import shutil
from pathlib import Path

import pytest
import yaml

from amlc import __version__, params
from amlc.errors import DataError
from amlc.evaluation.metrics_files import Details, Scores, read_metrics
from amlc.report.model_card import model_card

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with the metrics and the parameters of the last run."""
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def test_the_card_has_the_score_with_its_interval_and_every_slice(root: Path) -> None:
    """The numbers are those of the metrics."""
    card = model_card(root)
    scores = read_metrics(Scores, root / "metrics/metrics.json")
    assert f"**{scores.smape:.2f} %**" in card
    assert f"95 % interval {scores.smape_low:.2f} to {scores.smape_high:.2f}" in card
    slices = read_metrics(Details, root / "metrics/details.json").slices
    for slice_score in [*slices.price_decile.values(), *slices.image.values()]:
        assert f"| {slice_score.rows:,} | {slice_score.smape:.2f} |" in card


def test_the_card_names_versions_data_and_limits(root: Path) -> None:
    """A reader of the bundle alone knows where it comes from."""
    card = model_card(root)
    assert f"amlc {__version__}; " in card
    folder = yaml.safe_load((root / params.PATH).read_text())["data"]["dir"]
    assert f"`{folder}/train.csv`" in card
    assert "It errs most in these slices: tenth by price" in card


def test_the_same_results_give_the_same_card(root: Path) -> None:
    """It has no date."""
    assert model_card(root) == model_card(root)


def test_a_bundle_has_the_card(pipeline: Path) -> None:
    """It is one of the files that the manifest lists."""
    assert (pipeline / "bundle/README.md").read_text() == model_card(pipeline.parent)
    assert '"README.md"' in (pipeline / "bundle/manifest.json").read_text()


def test_missing_metrics_are_named(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(DataError, match=r"metrics\.json"):
        model_card(tmp_path)
