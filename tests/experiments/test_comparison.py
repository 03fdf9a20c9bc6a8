"""Two revisions beside each other."""

import json
from pathlib import Path

import numpy as np
import pytest

from amlc.catalog.products import read_products, write_products
from amlc.errors import DataError
from amlc.experiments.comparison import Comparison, against_last_commit, compare
from amlc.experiments.predictions import predictions_path
from amlc.experiments.repository import Repository
from amlc.models.timings import Timing, record
from tests.helpers.revisions import MODELS, commit_run, empty_cache, git, write_run


def between(repository: Repository, first: str, second: str) -> Comparison:
    """Compare two revisions by name."""
    return compare(repository, repository.revision(first), repository.revision(second))


def test_scores_are_those_of_the_metrics(repository: Repository) -> None:
    """The blend comes first, then the members by name."""
    comparison = between(repository, "main", "fine-yak")
    assert [line.name for line in comparison.models] == ["blend", *MODELS]
    for line in comparison.models:
        assert line.first is not None
        assert line.difference is not None
        assert line.difference.mean == pytest.approx((line.second or 0) - line.first)
    (content,) = repository.read([repository.revision("fine-yak")], Path("metrics/metrics.json"))
    assert comparison.models[0].second == pytest.approx(json.loads(content or b"")["smape"])


def test_a_better_experiment_is_called_better(repository: Repository) -> None:
    """And compared the other way round, worse."""
    assert between(repository, "main", "fine-yak").summary().startswith("B is better than A: -")
    assert between(repository, "fine-yak", "main").summary().startswith("B is worse than A: +")


def test_a_revision_compared_with_itself_is_the_same(repository: Repository) -> None:
    """The text names no slice and no parameter."""
    text = between(repository, "main", "workspace").text()
    assert "B predicts as well as A, to the digit. Paired over all 120 train rows." in text
    assert "price decile" not in text
    assert "No parameter differs." in text


def test_the_brief_form_names_what_moved_and_what_changed(repository: Repository) -> None:
    """Its lines fit 80 characters; the same predictions need one."""
    brief = between(repository, "main", "fine-yak").brief()
    assert brief.startswith("against     main (")
    assert "blend -" in brief
    assert "changed     seed=2" in brief
    assert max(map(len, brief.splitlines())) <= 80
    same = between(repository, "main", "workspace").brief()
    assert same.endswith("): the same predictions")
    assert "\n" not in same


def test_predictions_that_changed_are_read_again(root: Path) -> None:
    """Those of the workspace have the same path before and after a run."""
    assert against_last_commit(Repository(root)).endswith("the same predictions")
    write_run(root, noise=0.9)
    assert not against_last_commit(Repository(root)).endswith("the same predictions")


def test_without_the_data_of_the_last_commit_the_reason_is_said(root: Path) -> None:
    """A newcomer's first run has nothing to be compared with."""
    empty_cache(root)
    words = against_last_commit(Repository(root)).split()
    assert "the last commit: not compared: its predictions are not in DVC's" in " ".join(words)


def test_slices_add_up_to_all_rows(repository: Repository) -> None:
    """Price deciles, kinds of unit, with and without a picture."""
    comparison = between(repository, "main", "fine-yak")
    for kind, count in (("price decile", 10), ("unit", 2), ("picture", 2)):
        lines = [line for line in comparison.slices if line.name.startswith(f"{kind}: ")]
        assert len(lines) == count
        assert sum(line.rows for line in lines) == 120
        mean = sum(line.rows * (line.first or 0) for line in lines) / 120
        assert mean == pytest.approx(comparison.models[0].first)


def test_parameters_that_differ_have_both_values(repository: Repository) -> None:
    """A key that one revision lacks is no null."""
    comparison = between(repository, "fine-yak", "poor-gnu")
    assert comparison.parameters == {"seed": (2, 3), "threads": ("(no such key)", 2)}


def test_only_rows_with_the_same_id_and_price_are_paired(root: Path) -> None:
    """Other rows of either revision do not count, and the text says how many do."""
    products = read_products(root / "data/products.parquet")
    products.loc[products.index[:3], "price"] += 1
    write_products(root / "data/products.parquet", products.iloc[1:])
    commit_run(root, noise=0.5)
    comparison = between(Repository(root), "HEAD~1", "HEAD")
    assert comparison.models[0].rows == 117
    assert "the 117 train rows with the same id and price, of 120 in A and 119" in comparison.text()


def test_without_common_rows_nothing_is_paired(root: Path) -> None:
    """The scores of other products say nothing about which model is better."""
    products = read_products(root / "data/products.parquet")
    others = products.assign(sample_id=[f"x{n}" for n in range(len(products))])
    write_products(root / "data/products.parquet", others)
    commit_run(root, noise=0.5)
    comparison = between(Repository(root), "HEAD~1", "HEAD")
    assert "no train rows in common" in comparison.text()
    assert comparison.slices == []


def test_test_rows_with_a_known_price_are_compared_too(root: Path) -> None:
    """They are the held-out score."""
    products = read_products(root / "data/products.parquet")
    write_products(root / "data/products.parquet", products.fillna({"price": 12.5}))
    commit_run(root, noise=0.5)
    commit_run(root, noise=0.4, parameters={"seed": 5})
    comparison = between(Repository(root), "HEAD~1", "HEAD")
    assert comparison.held_out is not None
    assert comparison.held_out.rows == 20
    assert "blend, test rows" in comparison.text()


def test_seconds_and_memory_are_those_of_this_machine(root: Path, repository: Repository) -> None:
    """A model that was fitted elsewhere has dashes."""
    timing = Timing(seconds=9, fit_seconds=12.25, predict_seconds=1.5, peak_bytes=250_000_000)
    record(root / predictions_path("linear"), timing)
    comparison = between(repository, "main", "fine-yak")
    assert comparison.timings == {"lightgbm": (None, None), "linear": (timing, None)}
    (line,) = [line for line in comparison.text().splitlines() if "250" in line]
    assert line.split() == ["linear", "12.2", "1.5", "250", "-", "-", "-"]


def test_a_model_of_one_revision_keeps_its_score(root: Path) -> None:
    """The other has a dash, and no difference."""
    scores = json.loads((root / "metrics/metrics.json").read_text())
    scores["models"]["other"] = 55.5
    (root / "metrics/metrics.json").write_text(json.dumps(scores))
    line = between(Repository(root), "main", "workspace").models[-1]
    assert line.cells() == ("other", "120", "-", "55.50", "", "")


def test_without_features_in_the_cache_their_slices_are_left_out(root: Path) -> None:
    """Scores need the products and predictions alone."""
    git(root, "rm", "--quiet", "--cached", "dvc.lock")
    lock = (root / "dvc.lock").read_text()
    kept = lock.replace("data/features", "data/elsewhere").replace("data/images", "data/gone")
    (root / "dvc.lock").write_text(kept)
    git(root, "add", "dvc.lock")
    git(root, "commit", "--quiet", "--message", "other paths")
    names = {
        line.name.split(":")[0] for line in between(Repository(root), "HEAD", "fine-yak").slices
    }
    assert names == {"price decile"}


def test_data_missing_from_the_cache_ends_in_a_sentence(root: Path) -> None:
    """It names the file and the command."""
    empty_cache(root)
    with pytest.raises(DataError, match="not in DVC's cache; get it from the remote with"):
        between(Repository(root), "main", "workspace")


def test_a_revision_without_scores_is_named(root: Path) -> None:
    """Its pipeline has not run."""
    git(root, "rm", "--quiet", "metrics/metrics.json")
    git(root, "commit", "--quiet", "--message", "none")
    with pytest.raises(DataError, match=r"metrics\.json or params\.yaml is missing"):
        between(Repository(root), "HEAD", "fine-yak")


def test_markdown_has_the_same_tables(repository: Repository) -> None:
    """For a comment on a pull request."""
    text = between(repository, "main", "poor-gnu").markdown()
    assert "### SMAPE" in text
    assert "### The blend by slice" in text
    assert "| threads | (no such key) | 2 |" in text


def test_json_has_plain_values(repository: Repository) -> None:
    """Another program reads them."""
    content = json.loads(json.dumps(between(repository, "main", "fine-yak").content()))
    assert content["models"][0]["name"] == "blend"
    assert content["models"][0]["difference"]["mean"] < 0
    assert np.isfinite(content["models"][0]["difference"]["se"])
