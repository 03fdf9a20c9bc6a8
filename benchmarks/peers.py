"""A table of published recipes and amlc on the same folds of the same rows.

`python benchmarks/peers.py` reads the product table of a finished pipeline run. Each recipe
predicts every fold without its prices, in a separate process. The table lists the recipes beside
amlc's models and blend, sorted by out-of-fold SMAPE. AutoGluon needs an environment of its own:
`--autogluon PATH/TO/ITS/python`. amlc's predictions are those of the run. Its seconds and memory,
without the download of pictures, are those that benchmarks/pipeline.py kept; where DVC ran the
pipeline, the stages run again in a temporary folder.
"""

import argparse
import hashlib
import importlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# isort: off
from checkout import ROOT
import stages  # noqa: F401 - chooses kernels, as for workers, before NumPy is imported

# isort: on
import numpy as np
import pandas as pd
from executor_choice import chosen
from numpy.typing import NDArray
from paired import bootstrap_error
from peer_recipes import NAMES
from peer_recipes.recipe import Recipe
from pipeline import COSTS, Cost, measure

from amlc import params
from amlc.arrays import Floats
from amlc.catalog.products import (
    CATEGORY,
    PRICE,
    TEXT,
    own_columns,
    own_kind,
    read_products,
    train_rows,
)
from amlc.errors import ParamsError, run
from amlc.execution.backend import THREADS, Backend, in_order, open_pool
from amlc.execution.executor import open_backend
from amlc.metrics import row_smape, standard_error_over_folds
from amlc.models.blend import read_blend_predictions
from amlc.models.predictions import read_predictions
from amlc.models.registry import members

HERE = ROOT / "benchmarks"
OURS = "amlc"
# A difference of more than this many standard errors is not due to chance.
ERRORS = 2.0
# The stages behind each feature block.
STAGES_OF = {
    "tabular": ["tabular"],
    "terms": ["terms"],
    "topics": ["terms", "topics"],
    "vision": ["vision"],
    "neighbours": ["terms", "neighbours"],
    "encoders": ["encode"],
}
HEADER = (
    *("recipe", "SMAPE", "se", "behind the blend", "se, folds", "se, groups", "in se", "over 2 se"),
    *("seconds", "peak MB", "source"),
)


@dataclass(frozen=True)
class Entry:
    """A recipe or model: its out-of-fold prices of the train rows, and their cost."""

    title: str
    source: str
    prices: Floats
    cost: Cost
    peer: bool = True


@dataclass(frozen=True)
class Line:
    """One line of the table: SMAPE in percent, and its paired difference from the blend's."""

    entry: Entry
    smape: float
    smape_se: float
    behind: float
    fold_se: float
    group_se: float

    @property
    def standard_errors(self) -> float:
        """The difference divided by the larger of its standard errors; 0 for the blend."""
        largest = max(self.fold_se, self.group_se)
        return self.behind / largest if largest else 0.0

    @property
    def surely_behind(self) -> bool:
        """Whether the blend is better by more than chance explains."""
        return self.standard_errors > ERRORS

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        scores = (f"{self.smape:.2f}", f"{self.smape_se:.2f}")
        gap = (f"{self.behind:+.2f}", f"{self.fold_se:.2f}", f"{self.group_se:.2f}")
        verdict = (f"{self.standard_errors:.1f}", "yes" if self.surely_behind else "no")
        if not self.fold_se and not self.group_se:
            gap, verdict = ("", "", ""), ("", "")
        cost = self.entry.cost
        costs = (
            "-" if np.isnan(number) else f"{number:.0f}"
            for number in (cost.seconds, cost.megabytes)
        )
        return (self.entry.title, *scores, *gap, *verdict, *costs, self.entry.source)


def lines(
    entries: list[Entry], blend: Floats, actual: Floats, rows: pd.DataFrame, seed: int
) -> list[Line]:
    """Return the table's lines, best first.

    Parameters
    ----------
    entries : list of Entry
        The recipes and models to compare.
    blend, actual : ndarray of float64, shape (n,)
        The blend's prices and the actual prices.
    rows : DataFrame
        Columns ``fold`` and ``group`` of the train rows.
    seed : int
        Seed of the resamples.
    """
    folds, groups = rows["fold"].to_numpy(), rows["group"].to_numpy()
    ours = row_smape(actual, blend)
    compared = []
    for entry in entries:
        scores = row_smape(actual, entry.prices)
        gap = scores - ours
        errors = (
            standard_error_over_folds(gap, folds),
            bootstrap_error(gap, groups, seed=seed),
        )
        mean_se = standard_error_over_folds(scores, folds)
        compared.append(Line(entry, float(scores.mean()), mean_se, float(gap.mean()), *errors))
    return sorted(compared, key=lambda line: line.smape)


def claim(compared: list[Line]) -> str:
    """Return a sentence that says whether every peer is behind the blend by more than chance."""
    peers = [line for line in compared if line.entry.peer]
    if not peers:
        return "No peer ran."
    nearest = min(peers, key=lambda line: line.standard_errors)
    all_behind = all(line.surely_behind for line in peers)
    return (
        f"Every peer is behind amlc's blend by more than {ERRORS:.0f} standard errors: "
        f"{'yes' if all_behind else 'NO'}; the nearest is {nearest.entry.title}, "
        f"{nearest.behind:.2f} behind, {nearest.standard_errors:.1f} standard errors."
    )


class Bench:
    """Runs recipes and stages in separate processes.

    Parameters
    ----------
    data : Path
        A finished run, with params.yaml and data/.
    folder : Path
        Folder for temporary files.
    keep : Path, optional
        Folder of results that are computed only once; None: nothing is kept.
    """

    def __init__(self, data: Path, folder: Path, keep: Path | None) -> None:
        self.data = data.resolve()
        self.folder = folder
        self.keep = keep
        self.threads = params.threads(data / "params.yaml")
        kept = data / COSTS
        costs = json.loads(kept.read_text()) if kept.exists() else {}
        self.stage_costs = {name: Cost(**cost) for name, cost in costs.items()}

    def recipe(self, name: str, job: dict[str, Any], python: str) -> tuple[Floats, Cost]:
        """Return a recipe's out-of-fold prices and their cost."""
        content = json.dumps({**job, "threads": self.threads})
        kept = None
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            code = (HERE / "peer_recipes" / f"{name}.py").read_text()
            digest = hashlib.sha256((content + code).encode()).hexdigest()[:16]
            kept = self.keep / f"{name}-{digest}.json"
            if kept.exists():
                saved = json.loads(kept.read_text())
                return np.array(saved["prices"]), Cost(**saved["cost"])
        files = [str(self.folder / f"{name}-{kind}.json") for kind in ("job", "prices")]
        Path(files[0]).write_text(content)
        cost = self.measured(python, "peer_recipes", [name, *files], self.folder)
        prices = json.loads(Path(files[1]).read_text())
        if kept is not None:
            kept.write_text(json.dumps({"prices": prices, "cost": vars(cost)}))
        return np.array(prices), cost

    def measured(self, python: str, module: str, arguments: list[str], cwd: Path) -> Cost:
        """Run a module with the threads of the run and return its cost."""
        # amlc's stages set these variables themselves; recipes get the same advantage.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self.threads))
        folder = str(ROOT) if module.startswith("stages.") else ""
        variables = {**threads, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": folder}
        return measure(python, [module, *arguments], cwd, variables)

    def stage(self, name: str, *arguments: str) -> Cost:
        """Return the cost of one of amlc's stages, run once in a copy of the finished run."""
        label = "@".join([name, *arguments])
        if label not in self.stage_costs:
            _log(f"timing the stage {label}")
            copy = self._copy()
            cost = self.measured(sys.executable, f"stages.{name}", list(arguments), copy)
            self.stage_costs[label] = cost
        return self.stage_costs[label]

    def _copy(self) -> Path:
        copy = self.folder / "copy"
        if not copy.exists():
            (copy / "data").mkdir(parents=True)
            (copy / "params.yaml").write_bytes((self.data / "params.yaml").read_bytes())
            for name in ("products.parquet", "images"):
                (copy / "data" / name).symlink_to(self.data / "data" / name)
        return copy

    def stages(self, labels: list[tuple[str, ...]]) -> Cost:
        """Return the cost of several stages, run one after the other, each once."""
        total = Cost(0.0, 0.0, 0.0)
        for label in dict.fromkeys(labels):
            total = total.plus(self.stage(*label))
        return total


def stages_of_member(name: str, data: Path) -> list[tuple[str, ...]]:
    """Return the stages of a model: those of its feature blocks, and its training."""
    blocks = params.value(f"train.{name}.blocks", data / "params.yaml")
    needed = [stage for block in blocks for stage in STAGES_OF[block.partition(".")[0]]]
    return [*((stage,) for stage in needed), ("train", name)]


def ours(data: Path, products: pd.DataFrame, bench: Bench | None) -> list[Entry]:
    """Return amlc's models and blend from a finished run; without a bench, without their cost."""
    train = train_rows(products)
    names = members(params.value("models", data / "params.yaml"))
    needed = {name: stages_of_member(name, data) for name in names}
    entries = []
    for name in names:
        logs = read_predictions(data / "data/models" / name, products)[train]
        cost = Cost() if bench is None else bench.stages(needed[name])
        entries.append(Entry(f"amlc {name}", OURS, np.exp(logs), cost, peer=False))
    all_stages = [stage for name in names for stage in needed[name]]
    cost = Cost() if bench is None else bench.stages([*all_stages, ("blend",)])
    logs = read_blend_predictions(data / "data/blend", products)["log_price"].to_numpy()[train]
    return [*entries, Entry("**amlc blend**", OURS, np.exp(logs), cost, peer=False)]


def job_of(rows: pd.DataFrame, seed: int, seconds: int) -> dict[str, Any]:
    """Return the input of a recipe, without the number of threads.

    The recipes take texts alone, so a catalogue's own categories become lines of its texts.
    """
    texts = rows[TEXT]
    for name in own_columns(rows).columns:
        if own_kind(name) == CATEGORY:
            label = name.removeprefix(CATEGORY)
            texts = texts.str.rstrip("\n") + f"\n{label}: " + rows[name].fillna("") + "\n"
    return {
        "texts": texts.tolist(),
        "prices": rows[PRICE].tolist(),
        "folds": rows["fold"].tolist(),
        "seed": seed,
        "seconds": seconds,
    }


def load(name: str) -> Recipe:
    """Return a recipe by its module's name."""
    recipe: Recipe = importlib.import_module(f"peer_recipes.{name}").RECIPE
    return recipe


@dataclass(frozen=True)
class Work:
    """What every recipe needs: data, where it runs, and AutoGluon's Python, if there is one."""

    bench: Bench
    job: dict[str, Any]
    autogluon: str | None


def run_recipe(work: Work, name: str) -> Entry:
    """Return a recipe's line of the table."""
    recipe, title, python, job = load(name), load(name).title, sys.executable, work.job
    if name == "autogluon":
        python, title = str(work.autogluon), f"{title}, {job['seconds']} s a fold"
    else:
        # The others have no time limit, so it must not change the key of their kept results.
        job = {**job, "seconds": 0}
    _log(f"running {name}")
    prices, cost = work.bench.recipe(name, job, python)
    return Entry(title, recipe.source, prices, cost)


def peers(names: list[str], work: Work, jobs: int, backend: Backend = THREADS) -> list[Entry]:
    """Run recipes, `jobs` at a time in threads; AutoGluon is skipped if its Python is not given."""
    if work.autogluon is None and "autogluon" in names:
        _log("autogluon is skipped: give --autogluon PATH/TO/ITS/python")
        names = [name for name in names if name != "autogluon"]
    with open_pool(backend, work, at_once=jobs, unit="recipe") as pool:
        return list(in_order(pool, run_recipe, names))


def table(compared: list[Line], rows: int, folds: NDArray[Any]) -> str:
    """Return the lines as a Markdown table with a title and the claim."""
    text = [f"## {rows} rows, {len(np.unique(folds))} folds, out of fold\n"]
    text += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    text += ["| " + " | ".join(line.cells()) + " |" for line in compared]
    return "\n".join([*text, "", claim(compared)])


def program(name: str) -> str:
    """Return a program for processes in other folders; a name alone is looked up in PATH."""
    return str(Path(name).absolute()) if os.sep in name else name


def _log(what: str) -> None:
    print(f"peers: {what}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(), help="folder of a finished run")
    parser.add_argument("--only", nargs="*", help=f"of {', '.join([*NAMES, OURS])}")
    parser.add_argument(
        "--autogluon", type=program, help="the Python of an environment with AutoGluon"
    )
    parser.add_argument("--autogluon-seconds", type=int, default=240, help="for each fold")
    parser.add_argument("--jobs", type=int, default=1, help="recipes at a time")
    parser.add_argument("--executor", help="threads, processes or local:N")
    parser.add_argument("--keep", type=Path, help="folder of results that are not computed again")
    parser.add_argument("--untimed", action="store_true", help="do not time amlc's stages")
    return parser.parse_args()


def main() -> None:
    """Compare the recipes of the command line."""
    arguments = _arguments()
    wanted = arguments.only or [*NAMES, OURS]
    unknown = sorted(set(wanted) - {*NAMES, OURS})
    if unknown:
        raise ParamsError(f"--only: no recipe {', '.join(unknown)}; known: {', '.join(NAMES)}")
    path = arguments.data / "params.yaml"
    seed = params.seed(path)
    products = read_products(arguments.data / "data/products.parquet")
    rows = products.iloc[train_rows(products)]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.data, Path(folder), arguments.keep)
        timed = bench if OURS in wanted and not arguments.untimed else None
        entries = ours(arguments.data, products, timed)
        blend = entries[-1].prices
        names = [name for name in NAMES if name in wanted]
        job = job_of(rows, seed, arguments.autogluon_seconds)
        work = Work(bench, job, arguments.autogluon)
        with open_backend(chosen(arguments.executor, path)) as backend:
            entries += peers(names, work, arguments.jobs, backend)
    actual = rows[PRICE].to_numpy(dtype=np.float64)
    print(table(lines(entries, blend, actual, rows, seed), len(rows), rows["fold"].to_numpy()))


if __name__ == "__main__":
    run(main)
