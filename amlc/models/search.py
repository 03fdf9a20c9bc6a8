"""Hyper-parameter search on the folds of training, with Optuna; it goes on where it was stopped."""

import hashlib
import importlib
import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from amlc import layout, params
from amlc.catalog.products import ID, PRICE, read_products, train_rows
from amlc.errors import MissingExtraError, ModelError
from amlc.features.blocks import Blocks, read_blocks
from amlc.files import write_text
from amlc.metrics import smape_of_logs
from amlc.models.base import Regressor
from amlc.models.crossfit import fits, splits_of
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

if sys.platform != "win32":
    import fcntl


@dataclass(frozen=True)
class Task:
    """What is searched.

    Parameters
    ----------
    model : str
        Its name.
    section : dict
        Its section of `train`, raw: what the search starts from.
    spaces : Spaces
        What to try; see `amlc.models.search_space.model_spaces`.
    blocks, products : Blocks, DataFrame
        As in `amlc.models.crossfit.crossfit`.
    files : list of Path
        The files that these were read from; with other content a new study begins.
    seed, threads, patience : int
        See params.yaml.
    """

    model: str
    section: dict[str, Any]
    spaces: Spaces
    blocks: Blocks
    products: pd.DataFrame
    files: list[Path]
    seed: int
    threads: int
    patience: int

    def scores(self, values: dict[str, Any]) -> Generator[float]:
        """Yield the SMAPE after each fold of the model with these values."""
        settings = model_settings(self.model, {**self.section, **values})
        return fold_scores(
            lambda: regressor(self.model)(settings),
            self.blocks,
            self.products,
            seed=self.seed,
            threads=self.threads,
        )

    def current(self) -> dict[str, Any]:
        """Return the present values of what is searched."""
        return {name: self.section[name] for name in self.spaces}


@dataclass(frozen=True)
class Best:
    """The outcome of a search.

    Parameters
    ----------
    model : str
        The model's name.
    values : dict
        The best values found.
    changes : dict
        Those of them that differ from params.yaml.
    smape, before : float
        Out-of-fold SMAPE in percent with them, and with params.yaml as it is; NaN where that lies
        outside the spaces.
    trials, pruned, failed : int
        Settings tried; those given up after some folds; those that the model could not be fitted
        with.
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
    """Search for the settings of a model of the repository in the current folder.

    Parameters
    ----------
    name : str
        The model.
    trials : int, optional
        Settings to try in all, those of earlier runs included; None: as params.yaml says.
    seconds : float
        For new trials.

    Raises
    ------
    AmlcError
        A setting is wrong, a feature block is missing, or anything that `search` raises.
    """
    settings = params.load(SearchSettings, "search")
    section = params.value(f"train.{name}")
    spaces = model_spaces(settings, name, section)
    lists = spaces.get("blocks", [section["blocks"]])
    blocks: list[Any] = sorted({block for names in lists for block in names})
    task = Task(
        model=name,
        section=section,
        spaces=spaces,
        blocks=read_blocks(layout.FEATURES, blocks),
        products=read_products(layout.PRODUCTS, [ID, PRICE, "split", "group", "fold"]),
        files=[
            layout.PRODUCTS,
            *(path for block in blocks for path in layout.FEATURES.glob(f"{block}.*")),
        ],
        seed=params.seed(),
        threads=params.threads(),
        patience=settings.patience,
    )
    return search(task, layout.STUDIES, trials or settings.trials, seconds)


def fold_scores(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
) -> Generator[float]:
    """Yield the out-of-fold SMAPE of the folds so far; the last is that of `crossfit`.

    Parameters
    ----------
    make, blocks, products, seed, threads
        As in `amlc.models.crossfit.crossfit`, whose fit to all train rows is left out.

    Notes
    -----
    Folds are fitted side by side, and reported in their order. Closing the generator drops those
    that have not begun.
    """
    train = train_rows(products)
    splits = list(splits_of(products, train))
    actual = np.log(products[PRICE].to_numpy(dtype=np.float64))
    log_price = np.full(len(products), np.nan)
    with closing(fits(make, blocks, products, splits, seed=seed, threads=threads)) as found:
        for fit in found:
            log_price[fit.rows] = fit.log_price
            seen = train[np.isfinite(log_price[train])]
            yield smape_of_logs(actual[seen], log_price[seen])


def search(task: Task, folder: Path, trials: int, seconds: float = math.inf) -> Best:
    """Try settings until there are `trials` of them, counting those of earlier runs.

    Parameters
    ----------
    task : Task
        What to search.
    folder : Path
        Holds the study of each model in SQLite, and the best values as YAML.
    trials : int
        Settings to try in all.
    seconds : float
        No trial begins after this time.

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
        came to its end.

    Notes
    -----
    The tree-structured Parzen estimator of Bergstra et al., Algorithms for Hyper-Parameter
    Optimization (2011); a trial is given up where it is worse than the median of earlier ones
    after as many folds.
    """
    optuna = _optuna()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / ".gitignore", "*\n")
    with _alone(folder / f"{task.model}.lock"), _study(optuna, task, folder) as study:
        _begin(study, task, optuna)
        _try_until(study, task, optuna, trials, seconds)
        best = _best(study, task, optuna)
    write_text(folder / f"{task.model}.yaml", best.patch())
    return best


def _optuna() -> Any:
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise MissingExtraError("hyper-parameter search", "search") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however."""
    with path.open("w") as handle:
        if sys.platform != "win32":
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ModelError(f"{path}: another search of this model is running") from None
        yield


@contextmanager
def _study(optuna: Any, task: Task, folder: Path) -> Iterator[Any]:
    """Open the study of these data, settings, spaces and this code, or begin it."""
    path = folder / f"{task.model}.db"
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    except (importlib.import_module("sqlalchemy.exc").SQLAlchemyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: no studies of Optuna: {reason}; remove the file") from None
    try:
        yield optuna.create_study(
            storage=storage,
            study_name=f"{task.model}-{_fingerprint(task)}",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=task.patience),
            load_if_exists=True,
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _fingerprint(task: Task) -> str:
    """Return what makes scores comparable, hashed: data, settings, spaces, the models' code."""
    fixed = {name: value for name, value in task.section.items() if name not in task.spaces}
    spaces = {
        name: space if isinstance(space, list) else space.model_dump()
        for name, space in task.spaces.items()
    }
    told = json.dumps([fixed, spaces, task.seed, task.threads, task.patience], sort_keys=True)
    digest = hashlib.sha256(told.encode())
    for path in [*sorted(task.files), *sorted(Path(__file__).parent.glob("*.py"))]:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def _begin(study: Any, task: Task, optuna: Any) -> None:
    """Say what there is; give up what a killed run left; put the present settings first."""
    waiting = study.get_trials(states=(optuna.trial.TrialState.WAITING,))
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    done = len(_tried(study, optuna))
    name = f"search: {task.model}"
    print(f"{name}: {done} trials of earlier runs" if done else f"{name}: a new study")
    first = stored(task.current(), task.spaces)
    if first and not done and not waiting:
        study.enqueue_trial(first)


def _tried(study: Any, optuna: Any) -> list[Any]:
    """Return the trials that came to an end; one that was killed does not count."""
    ended = study.get_trials(deepcopy=False)
    return [trial for trial in ended if trial.state.is_finished() and not _killed(trial, optuna)]


def _killed(trial: Any, optuna: Any) -> bool:
    return bool(trial.state == optuna.trial.TrialState.FAIL) and "error" not in trial.user_attrs


def _try_until(study: Any, task: Task, optuna: Any, trials: int, seconds: float) -> None:
    started = time.monotonic()
    done = len(_tried(study, optuna))
    with tqdm(total=trials, initial=min(done, trials), unit="trial", disable=None) as bar:
        while done < trials and time.monotonic() - started < seconds:
            # Seeded by what is known, so that a search in two runs is the search in one.
            study.sampler = optuna.samplers.TPESampler(seed=task.seed + done)
            _try(study, task, optuna)
            done += 1
            bar.set_postfix_str(_standing(study, optuna))
            bar.update()


def _try(study: Any, task: Task, optuna: Any) -> None:
    trial = study.ask()
    values = draw(trial, task.spaces)
    folds = len(np.unique(task.products["fold"].to_numpy()[train_rows(task.products)]))
    score = math.nan
    try:
        with closing(task.scores(values)) as scores:
            for fold, score in enumerate(scores, start=1):
                trial.report(score, fold)
                if fold < folds and trial.should_prune():
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    return
    except ModelError as error:
        trial.set_user_attr("error", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    study.tell(trial, score)


def _standing(study: Any, optuna: Any) -> str:
    complete = _of_state(study, optuna.trial.TrialState.COMPLETE)
    return f"best SMAPE {min(trial.value for trial in complete):.2f}" if complete else ""


def _of_state(study: Any, state: Any) -> list[Any]:
    found: Iterable[Any] = study.get_trials(deepcopy=False, states=(state,))
    return list(found)


def _best(study: Any, task: Task, optuna: Any) -> Best:
    states = optuna.trial.TrialState
    tried, complete = _tried(study, optuna), _of_state(study, states.COMPLETE)
    errors = [trial.user_attrs["error"] for trial in tried if "error" in trial.user_attrs]
    if not complete:
        reason = f"; the last error: {errors[-1]}" if errors else ""
        raise ModelError(f"no trial of {task.model} came to its end{reason}")
    best = study.best_trial
    values = draw(optuna.trial.FixedTrial(best.params), task.spaces)
    current = task.current()
    first = stored(current, task.spaces)
    before = [trial.value for trial in complete if trial.params == first]
    return Best(
        task.model,
        values,
        {name: value for name, value in values.items() if value != current[name]},
        best.value,
        before[0] if before else math.nan,
        len(tried),
        len(_of_state(study, states.PRUNED)),
        len(errors),
    )
