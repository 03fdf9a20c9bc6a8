"""Hyper-parameter search."""

import re
import shlex
import sys
from collections.abc import Generator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import yaml

from amlc.errors import MissingExtraError, ModelError
from amlc.models.search import Best, Task, search
from amlc.models.search_space import NumberRange
from tests.helpers.learning import SECTIONS, Catalogue

SPACES: dict[str, Any] = {
    "alpha": NumberRange(low=0.01, high=1000.0, log=True),
    "dense_scale": NumberRange(low=0.01, high=2.0, log=True),
}


class Scores(Task):
    """A task with synthetic scores for three folds, without any fit."""

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Yield the distance from alpha 3, slightly less with each fold."""
        for fold in range(3):
            yield 50 + abs(values["alpha"] - 3) - fold / 10


class Killed(Scores):
    """The same, interrupted in the first trial that does not have the present value."""

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Raise what Ctrl-C raises."""
        if values["alpha"] != self.section["alpha"]:
            raise KeyboardInterrupt
        yield from super().scores(values)


class KilledAtOnce(Scores):
    """The same, interrupted in the first trial."""

    def scores(self, _: dict[str, Any]) -> Generator[float]:
        """Raise what Ctrl-C raises."""
        raise KeyboardInterrupt


class Unfit(Scores):
    """The same, but only the present value can be fitted."""

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Raise what a model raises."""
        if values["alpha"] != self.section["alpha"]:
            raise ModelError("7 of 9 predictions are not finite")
        yield from super().scores(values)


def task(catalogue: Catalogue, kind: type[Task] = Scores, **changes: Any) -> Task:
    """Return a search of ridge."""
    values: dict[str, Any] = {
        "model": "ridge",
        "section": SECTIONS["ridge"],
        "spaces": SPACES,
        "blocks": catalogue[0],
        "products": catalogue[2],
        "files": [],
        "seed": 3,
        "threads": 1,
        "n_startup_trials": 2,
        **changes,
    }
    return kind(**values)


def tried(folder: Path) -> list[list[tuple[dict[str, Any], float | None]]]:
    """Return parameters and scores of the finished trials of every study in a folder."""
    url = f"sqlite:///{folder / 'ridge.db'}"
    storage = optuna.storages.RDBStorage(url)
    names = optuna.get_all_study_names(storage)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    trials = [
        [(trial.params, trial.value) for trial in study.get_trials(states=ended)]
        for study in studies
    ]
    storage.remove_session()
    storage.engine.dispose()
    return trials


def test_a_search_finds_better_settings_and_prints_how_to_train_with_them(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """A search of a real model improves poor settings; the patch and the command agree."""
    section = {**SECTIONS["ridge"], "alpha": 900.0}
    best = search(task(catalogue, Task, section=section), tmp_path, trials=6)
    assert best.smape < best.before
    changes = yaml.safe_load((tmp_path / "ridge.yaml").read_text())["train"]["ridge"]
    assert changes == best.changes
    words = shlex.split(best.command())
    assert words[:3] == ["dvc", "exp", "run"]
    assert words[4::2] == [f"train.ridge.{name}={value}" for name, value in changes.items()]


def test_the_present_settings_are_the_first_trial(catalogue: Catalogue, tmp_path: Path) -> None:
    """The result is never worse than the present settings."""
    best = search(task(catalogue), tmp_path, trials=1)
    assert best.values == {name: SECTIONS["ridge"][name] for name in SPACES}
    assert best.smape == best.before
    assert best.changes == {}


def test_present_settings_outside_the_spaces_have_no_score(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """The best score is not compared with one that was not computed."""
    section = {**SECTIONS["ridge"], "alpha": 5000.0}
    best = search(task(catalogue, section=section), tmp_path, trials=2)
    assert "before" not in best.score()


def test_a_search_in_two_runs_is_the_search_in_one(catalogue: Catalogue, tmp_path: Path) -> None:
    """The sampler continues from the trials of the first run."""
    whole = search(task(catalogue), tmp_path / "one", trials=8)
    search(task(catalogue), tmp_path / "two", trials=3)
    resumed = search(task(catalogue), tmp_path / "two", trials=8)
    assert resumed == whole
    assert tried(tmp_path / "two") == tried(tmp_path / "one")


@pytest.mark.parametrize("kind", [Killed, KilledAtOnce])
def test_a_killed_search_resumes_with_the_same_result(
    kind: type[Task], catalogue: Catalogue, tmp_path: Path
) -> None:
    """The interrupted trial is run again."""
    with pytest.raises(KeyboardInterrupt):
        search(task(catalogue, kind), tmp_path / "killed", trials=5)
    resumed = search(task(catalogue), tmp_path / "killed", trials=5)
    assert resumed == search(task(catalogue), tmp_path / "one", trials=5)
    assert resumed.trials == 5


def test_a_finished_search_runs_no_trials(catalogue: Catalogue, tmp_path: Path) -> None:
    """Running the same command again gives the same result."""
    best = search(task(catalogue), tmp_path, trials=3)
    assert search(task(catalogue, Unfit), tmp_path, trials=3) == best


def test_no_trial_starts_after_the_time_is_up(catalogue: Catalogue, tmp_path: Path) -> None:
    """A study of two trials gets no more."""
    search(task(catalogue), tmp_path, trials=2)
    assert search(task(catalogue), tmp_path, trials=99, seconds=0).trials == 2


def test_a_limit_of_time_alone_needs_no_number_of_trials(
    catalogue: Catalogue,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line after each trial says how it went, the best so far and the time left."""
    # It is asked for the time once at the start, and before and after each trial.
    clock = SimpleNamespace(monotonic=count(step=10).__next__)
    monkeypatch.setattr("amlc.models.search.time", clock)
    search(task(catalogue), tmp_path, trials=None, seconds=40.0)
    lines = [line for line in capsys.readouterr().out.splitlines() if "trial " in line]
    first, last = lines
    assert re.fullmatch(r"search: ridge: trial 1: SMAPE (\d+\.\d\d), best \1, 20 s left", first)
    assert last.endswith(", time is up")


def test_each_line_of_progress_counts_the_trials(
    catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trials that were stopped early say after how many folds."""
    best = search(task(catalogue), tmp_path, trials=10)
    output = capsys.readouterr().out
    assert all(f"trial {number} of 10: " in output for number in range(1, 11))
    assert len(re.findall(r"stopped after \d folds, best", output)) == best.pruned
    assert f"best {best.smape:.2f}" in output


def test_trials_of_bad_settings_are_stopped_after_some_folds(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """A pruned trial has scores of some folds only and cannot be the best."""
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
def test_another_task_starts_another_study(
    catalogue: Catalogue, tmp_path: Path, change: dict[str, Any]
) -> None:
    """Scores of other settings, spaces or folds are not mixed."""
    search(task(catalogue), tmp_path, trials=2)
    search(task(catalogue, **change), tmp_path, trials=1)
    assert sorted(map(len, tried(tmp_path))) == [1, 2]


def test_other_data_start_another_study(catalogue: Catalogue, tmp_path: Path) -> None:
    """A study belongs to the content of the files, not to their names."""
    file = tmp_path / "products.parquet"
    for content in ("old", "new", "old"):
        file.write_text(content)
        search(task(catalogue, files=[file]), tmp_path, trials=2)
    assert sorted(map(len, tried(tmp_path))) == [2, 2]


def test_a_setting_that_cannot_be_fitted_does_not_end_the_search(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """It is counted as failed and cannot be the best."""
    best = search(task(catalogue, Unfit), tmp_path, trials=4)
    assert (best.trials, best.failed) == (4, 3)
    assert best.smape == best.before


def test_without_any_score_the_last_error_is_reported(catalogue: Catalogue, tmp_path: Path) -> None:
    """There is no best setting to write."""
    section = {**SECTIONS["ridge"], "alpha": 5000.0}
    with pytest.raises(
        ModelError, match=r"no trial of ridge was completed.* predictions are not finite"
    ):
        search(task(catalogue, Unfit, section=section), tmp_path, trials=2)
    assert not (tmp_path / "ridge.yaml").exists()


def test_two_searches_of_a_model_do_not_share_a_study(catalogue: Catalogue, tmp_path: Path) -> None:
    """The second search would mark the first one's trial as killed."""

    class Meanwhile(Scores):
        def scores(self, values: dict[str, Any]) -> Generator[float]:
            with pytest.raises(ModelError, match="another search of this model is running"):
                search(task(catalogue), tmp_path, trials=1)
            yield from super().scores(values)

    assert search(task(catalogue, Meanwhile), tmp_path, trials=1).failed == 0


def test_a_broken_file_of_studies_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    """The error names the file and the remedy."""
    (tmp_path / "ridge.db").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(
        ModelError, match=r"ridge\.db: not a file of Optuna studies: .*; remove the file"
    ):
        search(task(catalogue), tmp_path, trials=1)


def test_git_ignores_studies(catalogue: Catalogue, tmp_path: Path) -> None:
    """The folder has a .gitignore for itself, so no experiment includes it."""
    search(task(catalogue), tmp_path, trials=1)
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_without_optuna_it_names_the_extra(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base installation does not include it."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[search\]'"):
        search(task(catalogue), tmp_path, trials=1)


def test_values_with_brackets_are_quoted_for_the_shell() -> None:
    """A shell would read an unquoted list as a pattern for file names."""
    best = Best("mlp", {}, {"hidden_layer_sizes": [64, 8], "epochs": 3}, 50.0, 51.0, 2, 0, 0)
    layers = "'train.mlp.hidden_layer_sizes=[64,8]'"
    assert best.command() == f"dvc exp run -S {layers} -S train.mlp.epochs=3"
