"""Hyper-parameter search over the training folds with Optuna; a stopped search can be resumed."""

import hashlib
import importlib
import json
import math
import shlex
import sqlite3
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from filelock import FileLock, Timeout
from tqdm import tqdm

from amlc import layout, params
from amlc.catalog.products import train_rows
from amlc.errors import MissingExtraError, ModelError, first_line
from amlc.execution.backend import THREADS, Backend
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.blocks import Blocks
from amlc.files import write_text
from amlc.models.crossfit import fold_scores
from amlc.models.inputs import read_inputs
from amlc.models.registry import regressor
from amlc.models.search_space import (
    SearchSettings,
    Spaces,
    draw,
    model_settings,
    model_spaces,
    override,
    stored,
)


@dataclass(frozen=True)
class Task:
    """What is searched: the model, its settings and the data.

    Parameters
    ----------
    model : str
        The model's name.
    section : dict
        Its raw section of `train` in params.yaml, which the search starts from.
    spaces : Spaces
        The values to try, from `amlc.models.search_space.model_spaces`.
    blocks : Blocks
        One row per product.
    products : DataFrame
        The product table.
    files : list of Path
        The files that blocks and products were read from; a change of them starts a new study.
    seed, threads : int
        The keys `seed` and `threads` of params.yaml.
    n_startup_trials : int
        The key of the section `search` of params.yaml.
    backend : Backend
        Where the folds of a trial are fitted, which does not change its score.
    """

    model: str
    section: dict[str, Any]
    spaces: Spaces
    blocks: Blocks
    products: pd.DataFrame
    files: list[Path]
    seed: int
    threads: int
    n_startup_trials: int
    backend: Backend = THREADS

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Yield the SMAPE of the model with these values after each fold."""
        settings = model_settings(self.model, {**self.section, **values})
        return fold_scores(
            partial(regressor(self.model), settings),
            self.blocks,
            self.products,
            seed=self.seed,
            threads=self.threads,
            backend=self.backend,
        )

    def current(self) -> dict[str, Any]:
        """Return the present values of the parameters that are searched."""
        return {name: self.section[name] for name in self.spaces}


@dataclass(frozen=True)
class Best:
    """The result of a search.

    Parameters
    ----------
    model : str
        The model's name.
    values : dict
        The best values of the parameters that were searched.
    changes : dict
        Those of them that differ from params.yaml.
    smape, before : float
        Out-of-fold SMAPE in percent with these values, and with those of params.yaml; NaN where
        the latter lie outside the spaces.
    trials, pruned, failed : int
        All trials, those stopped after some folds, and those whose model could not be fitted.
    """

    model: str
    values: dict[str, Any]
    changes: dict[str, Any]
    smape: float
    before: float
    trials: int
    pruned: int
    failed: int

    def command(self) -> str:
        """Return the command that trains with the best values."""
        sets = [
            f"-S {shlex.quote(f'train.{self.model}.{name}={override(value)}')}"
            for name, value in self.changes.items()
        ]
        return " ".join(["dvc exp run", *sets])

    def patch(self) -> str:
        """Return the part of params.yaml to change, as YAML, with the scores in a comment."""
        section: dict[str, Any] = {"train": {self.model: self.changes}}
        return f"# {self.score()}\n{yaml.safe_dump(section, sort_keys=False)}"

    def score(self) -> str:
        """Return both scores in words."""
        before = "" if math.isnan(self.before) else f", {self.before:.4f} before"
        return f"SMAPE {self.smape:.4f}{before}"


def search_model(name: str, trials: int | None = None, seconds: float = math.inf) -> Best:
    """Search for better settings of a model, in the repository in the current folder.

    Parameters
    ----------
    name : str
        The model's name.
    trials : int, optional
        Trials in total, including those of earlier runs; None: `search.n_trials` of params.yaml if
        there is no limit of time, else as many as there is time for.
    seconds : float
        No trial starts after this time.

    Raises
    ------
    AmlcError
        A setting is wrong, a feature block is missing, or as in `search`.
    """
    settings = params.load(SearchSettings, "search")
    section = params.value(f"train.{name}")
    spaces = model_spaces(settings, name, section)
    choices = spaces.get("blocks", [section["blocks"]])
    blocks: list[Any] = sorted({block for names in choices for block in names})
    products, inputs = read_inputs(blocks, with_content=regressor(name).needs_content)
    task = Task(
        model=name,
        section=section,
        spaces=spaces,
        blocks=inputs,
        products=products,
        files=[
            layout.PRODUCTS,
            *(path for block in blocks for path in layout.FEATURES.glob(f"{block}.*")),
        ],
        seed=params.seed(),
        threads=params.threads(),
        n_startup_trials=settings.n_startup_trials,
    )
    if trials is None and math.isinf(seconds):
        trials = settings.n_trials
    with open_backend(params.load(ExecutorSettings, "executor")) as backend:
        return search(replace(task, backend=backend), layout.STUDIES, trials, seconds)


def search(task: Task, folder: Path, trials: int | None, seconds: float = math.inf) -> Best:
    """Run trials until there are `trials` of them, including those of earlier runs.

    Parameters
    ----------
    task : Task
        The model, settings and data.
    folder : Path
        Holds the study of each model in SQLite, and the best values as YAML.
    trials : int or None
        Trials in total; None: as many as there is time for.
    seconds : float
        No trial starts after this time.

    Returns
    -------
    Best
        Also written to ``folder / f"{model}.yaml"``.

    Raises
    ------
    MissingExtraError
        Optuna is not installed.
    ModelError
        Another search of the same model is running, the file of studies is broken, or no trial
        was completed.

    Notes
    -----
    Values are drawn by the tree-structured Parzen estimator of Bergstra et al., Algorithms for
    Hyper-Parameter Optimization (2011). A trial is stopped as soon as it is worse than the median
    of earlier trials after the same number of folds.
    """
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise MissingExtraError("hyper-parameter search", "search") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ".gitignore", "*\n")
    lock = folder / f"{task.model}.lock"
    try:
        with FileLock(lock, timeout=0), _study(optuna, task, folder) as study:
            present = stored(task.current(), task.spaces)
            _start(optuna, study, task, present)
            _run(optuna, study, task, trials, seconds)
            best = _best(optuna, study, task, present)
    except Timeout:
        raise ModelError(f"{lock}: another search of this model is running") from None
    write_text(folder / f"{task.model}.yaml", best.patch())
    return best


@contextmanager
def _study(optuna: Any, task: Task, folder: Path) -> Iterator[Any]:
    """Yield the task's Optuna study; other data, settings, spaces or code have another study."""
    path = folder / f"{task.model}.db"
    database_errors = importlib.import_module("sqlalchemy.exc").SQLAlchemyError
    try:
        # Optuna leaves its connection open if the file is not a database.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version")
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    except (sqlite3.DatabaseError, database_errors, RuntimeError) as error:
        reason = first_line(error)
        raise ModelError(
            f"{path}: not a file of Optuna studies: {reason}; remove the file"
        ) from None
    try:
        yield optuna.create_study(
            storage=storage,
            study_name=f"{task.model}-{_fingerprint(task)}",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=task.n_startup_trials),
            load_if_exists=True,
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _start(optuna: Any, study: Any, task: Task, present: dict[str, Any] | None) -> None:
    """Print the study's state, mark killed trials as failed, queue the present settings."""
    states = optuna.trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=[states.RUNNING]):
        study.tell(trial.number, state=states.FAIL)
    done = len(_ended(study))
    earlier = f"{done} trials of earlier runs" if done else "a new study"
    print(f"search: {task.model}: {earlier}")
    if present and not done and not study.get_trials(deepcopy=False, states=[states.WAITING]):
        study.enqueue_trial(present)


def _run(optuna: Any, study: Any, task: Task, trials: int | None, seconds: float) -> None:
    """Run trials until there are enough, or the time is up; print a line after each."""
    started, done = time.monotonic(), len(_ended(study))
    wanted = math.inf if trials is None else trials
    folds = task.products["fold"].iloc[train_rows(task.products)].nunique()

    def score_of(trial: Any) -> float:
        score = math.nan
        try:
            with closing(task.scores(draw(trial, task.spaces))) as scores:
                for fold, score in enumerate(scores, start=1):
                    trial.report(score, fold)
                    if fold < folds and trial.should_prune():
                        raise optuna.TrialPruned
        except ModelError as error:
            trial.set_user_attr("error", str(error))
            raise
        return score

    initial = int(min(done, wanted))
    with tqdm(total=trials, initial=initial, unit="trial", disable=None) as bar:
        while done < wanted and (left := seconds - (time.monotonic() - started)) > 0:
            bar.set_postfix_str(_left(left))
            # The seed depends on the trials so far, so a resumed search draws the same values.
            study.sampler = optuna.samplers.TPESampler(seed=task.seed + done)
            study.optimize(score_of, n_trials=1, catch=ModelError)
            done += 1
            left = seconds - (time.monotonic() - started)
            tqdm.write(f"search: {task.model}: {_progress(_ended(study), trials)}{_left(left)}")
            bar.update()


def _progress(ended: list[Any], trials: int | None) -> str:
    """Return the number of the last trial, its result and the best so far."""
    last = ended[-1]
    complete = [trial.value for trial in ended if trial.state.name == "COMPLETE"]
    outcome = {
        "COMPLETE": f"SMAPE {last.value or math.nan:.2f}",
        "PRUNED": f"stopped after {len(last.intermediate_values)} folds",
    }.get(last.state.name, "failed")
    best = f", best {min(complete):.2f}" if complete else ""
    return f"trial {len(ended)}{f' of {trials}' if trials else ''}: {outcome}{best}"


def _left(seconds: float) -> str:
    """Return the time left in words; nothing where there is no limit."""
    if math.isinf(seconds):
        return ""
    if seconds <= 0:
        return ", time is up"
    return f", {seconds / 60:.0f} min left" if seconds > 90 else f", {seconds:.0f} s left"


def _best(optuna: Any, study: Any, task: Task, present: dict[str, Any] | None) -> Best:
    """Return the best values of the completed trials.

    Raises
    ------
    ModelError
        No trial was completed.
    """
    ended, states = _ended(study), optuna.trial.TrialState
    complete = [trial for trial in ended if trial.state == states.COMPLETE]
    errors = [trial.user_attrs["error"] for trial in ended if "error" in trial.user_attrs]
    if not complete:
        reason = f"; the last error: {errors[-1]}" if errors else ""
        raise ModelError(f"no trial of {task.model} was completed{reason}")
    current = task.current()
    values = draw(optuna.trial.FixedTrial(study.best_params), task.spaces)
    before = [trial.value for trial in complete if trial.params == present]
    return Best(
        model=task.model,
        values=values,
        changes={name: value for name, value in values.items() if value != current[name]},
        smape=study.best_value,
        before=before[0] if before else math.nan,
        trials=len(ended),
        pruned=sum(trial.state == states.PRUNED for trial in ended),
        failed=len(errors),
    )


def _ended(study: Any) -> list[Any]:
    """Return the trials that ended, without those that were interrupted."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and (trial.state.name != "FAIL" or "error" in trial.user_attrs)
    ]


def _fingerprint(task: Task) -> str:
    """Return a hash of what scores depend on: data, settings, spaces, the models' code."""
    fixed = {name: value for name, value in task.section.items() if name not in task.spaces}
    spaces = {
        name: space if isinstance(space, list) else space.model_dump()
        for name, space in task.spaces.items()
    }
    content = [fixed, spaces, task.seed, task.threads, task.n_startup_trials]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for path in [*sorted(task.files), *sorted(Path(__file__).parent.rglob("*.py"))]:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]
