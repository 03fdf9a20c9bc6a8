"""Hyper-parameter search."""

import shlex
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from amlc.errors import MissingExtraError, ModelError
from amlc.models.crossfit import crossfit
from amlc.models.registry import regressor
from amlc.models.search import Best, Task, fold_scores, search
from amlc.models.search_space import Range
from tests.helpers.learning import SECTIONS, Catalogue

SPACES: dict[str, Any] = {
    "alpha": Range(low=0.01, high=1000.0, log=True),
    "dense_scale": Range(low=0.01, high=2.0, log=True),
}


class Scores(Task):
    """A task whose scores are made up from its values: no fit, three folds."""

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Yield the distance from alpha 3, somewhat less with each fold."""
        for fold in range(3):
            yield 50 + abs(values["alpha"] - 3) - fold / 10


class Killed(Scores):
    """The same, interrupted in the trial that tries another value than the present one."""

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Stop as Ctrl-C does."""
        if values["alpha"] != self.section["alpha"]:
            raise KeyboardInterrupt
        yield from super().scores(values)


class Unfit(Scores):
    """The same, unable to fit any setting but the present one."""

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Fail as a model does."""
        if values["alpha"] != self.section["alpha"]:
            raise ModelError("7 of 9 predictions are not finite")
        yield from super().scores(values)


def task(catalogue: Catalogue, kind: type[Task] = Scores, **changes: Any) -> Task:
    """Return a search of ridge."""
    found: dict[str, Any] = {
        "model": "ridge",
        "section": SECTIONS["ridge"],
        "spaces": SPACES,
        "blocks": catalogue[0],
        "products": catalogue[2],
        "files": [],
        "seed": 3,
        "threads": 1,
        "patience": 2,
        **changes,
    }
    return kind(**found)


def tried(folder: Path) -> list[list[tuple[dict[str, Any], float | None]]]:
    """Return parameters and scores of the finished trials of every study in a folder."""
    url = f"sqlite:///{folder / 'ridge.db'}"
    storage = optuna.storages.RDBStorage(url)
    names = optuna.get_all_study_names(storage)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    found = [
        [(trial.params, trial.value) for trial in study.get_trials(states=ended)]
        for study in studies
    ]
    storage.remove_session()
    storage.engine.dispose()
    return found


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ["ridge", "lightgbm"])
def test_the_score_after_the_last_fold_is_that_of_training(
    catalogue: Catalogue, name: str, threads: int
) -> None:
    """To the last bit, so that an experiment reproduces it."""
    blocks, _, products = catalogue
    kind = regressor(name)
    settings = kind.settings_type.model_validate(SECTIONS[name])
    scores = list(fold_scores(lambda: kind(settings), blocks, products, seed=2, threads=threads))
    trained = crossfit(lambda: kind(settings), blocks, products, seed=2, threads=threads)
    assert len(scores) == 3
    assert scores[-1] == trained.smape
    assert scores[0] == pytest.approx(trained.fold_smape[0], abs=1e-12)


def test_it_finds_better_settings_and_says_how_to_train_with_them(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """A real search of a real model beats a poor start; the patch and the command agree."""
    section = {**SECTIONS["ridge"], "alpha": 900.0}
    best = search(task(catalogue, Task, section=section), tmp_path, trials=6)
    assert best.smape < best.before
    changes = yaml.safe_load((tmp_path / "ridge.yaml").read_text())["train"]["ridge"]
    assert changes == best.changes
    words = shlex.split(best.command())
    assert words[:3] == ["dvc", "exp", "run"]
    assert words[4::2] == [f"train.ridge.{name}={value}" for name, value in changes.items()]


def test_the_present_settings_are_the_first_trial(catalogue: Catalogue, tmp_path: Path) -> None:
    """The result is never worse than what there was."""
    best = search(task(catalogue), tmp_path, trials=1)
    assert best.values == {name: SECTIONS["ridge"][name] for name in SPACES}
    assert best.smape == best.before
    assert best.changes == {}


def test_present_settings_outside_the_spaces_have_no_score(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """Nothing is compared with what was not tried."""
    section = {**SECTIONS["ridge"], "alpha": 5000.0}
    best = search(task(catalogue, section=section), tmp_path, trials=2)
    assert "before" not in best.score()


def test_a_search_in_two_runs_is_the_search_in_one(catalogue: Catalogue, tmp_path: Path) -> None:
    """The sampler starts from what is known, not from the beginning."""
    whole = search(task(catalogue), tmp_path / "one", trials=8)
    search(task(catalogue), tmp_path / "two", trials=3)
    resumed = search(task(catalogue), tmp_path / "two", trials=8)
    assert resumed == whole
    assert tried(tmp_path / "two") == tried(tmp_path / "one")


def test_a_killed_search_goes_on_as_if_it_had_not_been(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """The trial that was under way is drawn again."""
    with pytest.raises(KeyboardInterrupt):
        search(task(catalogue, Killed), tmp_path / "killed", trials=5)
    resumed = search(task(catalogue), tmp_path / "killed", trials=5)
    assert resumed == search(task(catalogue), tmp_path / "one", trials=5)
    assert resumed.trials == 5


def test_a_finished_search_tries_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    """The same command again prints the same result."""
    best = search(task(catalogue), tmp_path, trials=3)
    assert search(task(catalogue, Unfit), tmp_path, trials=3) == best


def test_no_trial_begins_after_the_time_is_up(catalogue: Catalogue, tmp_path: Path) -> None:
    """A study of two trials stays one, whatever was asked for."""
    search(task(catalogue), tmp_path, trials=2)
    assert search(task(catalogue), tmp_path, trials=99, seconds=0).trials == 2


def test_bad_settings_are_given_up_after_some_folds(catalogue: Catalogue, tmp_path: Path) -> None:
    """A pruned trial has fewer folds than the data and is no candidate."""
    best = search(task(catalogue), tmp_path, trials=10)
    assert 0 < best.pruned < 10
    assert best.smape == min(score for _, score in tried(tmp_path)[0] if score is not None)


@pytest.mark.parametrize(
    "change",
    [
        {"section": {**SECTIONS["ridge"], "smoothing": 9.0}},
        {"spaces": {"alpha": SPACES["alpha"]}},
        {"seed": 4},
    ],
    ids=["settings", "spaces", "seed"],
)
def test_another_task_begins_another_study(
    catalogue: Catalogue, tmp_path: Path, change: dict[str, Any]
) -> None:
    """Scores of other settings, spaces or folds are not mixed."""
    search(task(catalogue), tmp_path, trials=2)
    search(task(catalogue, **change), tmp_path, trials=1)
    assert sorted(map(len, tried(tmp_path))) == [1, 2]


def test_other_data_begin_another_study(catalogue: Catalogue, tmp_path: Path) -> None:
    """A study belongs to the content of the files, not to their names."""
    file = tmp_path / "products.parquet"
    for content in ("old", "new", "old"):
        file.write_text(content)
        search(task(catalogue, files=[file]), tmp_path, trials=2)
    assert sorted(map(len, tried(tmp_path))) == [2, 2]


def test_a_setting_that_cannot_be_fitted_does_not_end_the_search(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """It is counted, and no candidate."""
    best = search(task(catalogue, Unfit), tmp_path, trials=4)
    assert (best.trials, best.failed) == (4, 3)
    assert best.smape == best.before


def test_without_any_score_the_last_error_is_told(catalogue: Catalogue, tmp_path: Path) -> None:
    """There is no best setting to write."""
    section = {**SECTIONS["ridge"], "alpha": 5000.0}
    with pytest.raises(ModelError, match=r"no trial of ridge .* predictions are not finite"):
        search(task(catalogue, Unfit, section=section), tmp_path, trials=2)
    assert not (tmp_path / "ridge.yaml").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_two_searches_of_a_model_do_not_share_a_study(catalogue: Catalogue, tmp_path: Path) -> None:
    """The second one would take the first one's trial for a killed one."""

    class Meanwhile(Scores):
        def scores(self, values: dict[str, Any]) -> Generator[float]:
            with pytest.raises(ModelError, match="another search of this model is running"):
                search(task(catalogue), tmp_path, trials=1)
            yield from super().scores(values)

    assert search(task(catalogue, Meanwhile), tmp_path, trials=1).failed == 0


def test_a_file_that_is_no_study_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    """No traceback of SQLAlchemy."""
    (tmp_path / "ridge.db").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(ModelError, match=r"ridge\.db: no studies of Optuna: .*; remove the file"):
        search(task(catalogue), tmp_path, trials=1)


def test_git_sees_no_studies(catalogue: Catalogue, tmp_path: Path) -> None:
    """The folder ignores itself, so that no experiment takes it along."""
    search(task(catalogue), tmp_path, trials=1)
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_without_optuna_it_names_the_extra(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base install does not bring it."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[search\]'"):
        search(task(catalogue), tmp_path, trials=1)


def test_values_with_brackets_are_quoted_for_the_shell() -> None:
    """An unquoted list is a pattern for file names."""
    best = Best("mlp", {}, {"hidden": [64, 8], "epochs": 3}, 50.0, 51.0, 2, 0, 0)
    assert best.command() == "dvc exp run -S 'train.mlp.hidden=[64,8]' -S train.mlp.epochs=3"
