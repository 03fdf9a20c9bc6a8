"""The contribution of each feature and loss: out-of-fold SMAPE with and without it.

    python benchmarks/ablations.py --data FOLDER [--table features|losses|mlp] [--models MODEL ...]

FOLDER is a checkout with the pipeline's results. For each line of a table, the
blend's strongest members, or those that --models names, are fitted again on the same folds with one
change. Then the blend is fitted again to the changed and the unchanged members. Nothing is written
to FOLDER.
"""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import amlc.numerics  # noqa: F401 - before NumPy: the same arithmetic as in the pipeline

# isort: split
import numpy as np

from amlc import params
from amlc.catalog.products import read_products, train_rows
from amlc.errors import ParamsError, run
from amlc.features.block_names import BLOCKS
from amlc.features.blocks import Blocks, Tabular
from amlc.features.text import tokens
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.features.text.neighbours import nearest_train_products
from amlc.features.text.tfidf import TermFeatures, TermsSettings
from amlc.features.text.topics import TopicsSettings, fit_topics, project
from amlc.metrics import smape_of_logs
from amlc.models import blend_fitting
from amlc.models.base import ModelSettings
from amlc.models.crossfit import fits
from amlc.models.predictions import read_predictions
from amlc.models.registry import members, regressor
from amlc.models.target import log_prices

STRONGEST = ("lightgbm", "xgboost", "mlp")
AMOUNTS = ("num_log_total", "num_log_total_per_pack", "num_log_packs")
STATED = ("num_log_title_mass", "num_log_title_volume", "num_log_title_pieces")
BRANDS = ("key_brand", "key_first_1", "key_first_2", "key_first_3")
Change = Callable[["Run"], Blocks]


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Parameters
    ----------
    name : str
        The change in words.
    models : tuple of str
        The models that the change applies to.
    settings : dict
        Settings that replace those of params.yaml.
    blocks : callable, optional
        Returns the changed blocks.
    without : str
        A block that the models do not get.
    """

    name: str
    models: tuple[str, ...] = STRONGEST
    settings: dict[str, Any] = field(default_factory=dict)
    blocks: Change | None = None
    without: str = ""


class Run:
    """The results of a pipeline, and the scores with one change."""

    def __init__(self, models: list[str]) -> None:
        self.models = models
        self.products = read_products(Path("data/products.parquet"))
        self.train = train_rows(self.products)
        self.actual = log_prices(self.products, self.train)
        self.folds = self.products["fold"].to_numpy()[self.train]
        self.blocks = Blocks.read(Path("data/features"), BLOCKS)
        self.names = members(params.value("models"))
        if unknown := [name for name in models if name not in self.names]:
            raise ParamsError(
                f"--models: the run has no {', '.join(unknown)}; it has {', '.join(self.names)}"
            )
        self.usual = {
            name: read_predictions(Path("data/models") / name, self.products)[self.train]
            for name in self.names
        }

    def scores(self, line: Line) -> dict[str, float]:
        """Return the SMAPE of each changed model, and that of the blend."""
        blocks = self.blocks if line.blocks is None else line.blocks(self)
        changed = {name: self._fitted(name, line, blocks) for name in self.changed(line)}
        scores = {name: smape_of_logs(self.actual, logs) for name, logs in changed.items()}
        return {**scores, "blend": self._blended({**self.usual, **changed})}

    def usual_scores(self) -> dict[str, float]:
        """Return the SMAPE of each model and of the blend with nothing changed."""
        scores = {name: smape_of_logs(self.actual, self.usual[name]) for name in self.models}
        return {**scores, "blend": self._blended(self.usual)}

    def changed(self, line: Line) -> list[str]:
        """Return the models that are fitted again for a line."""
        return [name for name in line.models if name in self.models]

    def _fitted(self, name: str, line: Line, blocks: Blocks) -> Any:
        model = regressor(name)
        settings = params.load(model.settings_type, f"train.{name}")
        settings = model.settings_type.model_validate(
            {**settings.model_dump(), **_changed_settings(settings, line)}
        )
        log_price = np.full(len(self.products), np.nan)
        for fit in fits(
            lambda: model(settings),
            blocks,
            self.products,
            seed=params.seed(),
            threads=params.threads(),
        ):
            log_price[fit.rows] = fit.log_price
        return log_price[self.train]

    def _blended(self, predicted: dict[str, Any]) -> float:
        columns = np.column_stack([predicted[name] for name in self.names])
        settings = params.load(blend_fitting.BlendSettings, "blend")
        fitter = blend_fitting.BlendFitter(self.names, columns, self.actual, settings, self.folds)
        return smape_of_logs(self.actual, fitter.predict_out_of_fold()[:, 0])


def _changed_settings(settings: ModelSettings, line: Line) -> dict[str, Any]:
    blocks = [name for name in settings.blocks if name != line.without]
    return {"blocks": blocks, **line.settings}


def without_columns(*names: str) -> Change:
    """Return a change that takes columns out of the tabular block."""

    def changed(run: Run) -> Blocks:
        assert run.blocks.tabular is not None
        rest = run.blocks.tabular.to_frame().drop(columns=list(names))
        return run.blocks.assign(tabular=Tabular.from_frame(rest))

    return changed


def with_terms(**vectorizers: Any) -> Change:
    """Return a change that computes the terms, and the blocks made of them, by other vectorizers.

    Parameters
    ----------
    **vectorizers
        Settings by name; None leaves a vectorizer out.
    """

    def changed(run: Run) -> Blocks:
        usual = params.load(TermsSettings, "terms").model_dump()
        merged = {**usual["vectorizers"], **vectorizers}
        kept = {name: value for name, value in merged.items() if value is not None}
        return _from_terms(run, TermsSettings.model_validate({**usual, "vectorizers": kept}))

    return changed


def plain_numbers(run: Run) -> Blocks:
    """Return blocks with terms of texts whose numbers are not joined to their unit."""
    joined = tokens.join_numbers
    tokens.join_numbers = lambda text: text.lower()
    try:
        return _from_terms(run, params.load(TermsSettings, "terms"))
    finally:
        tokens.join_numbers = joined


def _from_terms(run: Run, settings: TermsSettings) -> Blocks:
    texts = run.products["catalog_content"].tolist()
    terms = TermFeatures(settings).fit([texts[row] for row in run.train]).transform(texts)
    weights = terms.weights
    components = fit_topics(
        terms.take(run.train), params.load(TopicsSettings, "topics"), params.seed()
    )
    neighbours = nearest_train_products(
        weights, run.train, params.load(NeighboursSettings, "neighbours"), threads=1
    )
    return run.blocks.assign(terms=terms, topics=project(terms, components), neighbours=neighbours)


TABLES: dict[str, list[Line]] = {
    "features": [
        Line("no prices of similar products", without="neighbours"),
        Line("no kriging among similar products", settings={"kriging": None}),
        Line("no target encoding of brand and leading words", settings={"smoothing": None}),
        Line("leading words encoded, but no brand", blocks=without_columns("key_brand")),
        Line("no totals and packs", blocks=without_columns(*AMOUNTS)),
        Line("no amounts stated in the title", blocks=without_columns(*STATED)),
        Line("numbers apart from their unit", blocks=plain_numbers),
        Line("terms of the title only", blocks=with_terms(text_words=None)),
        Line("no characters of the title", blocks=with_terms(title_chars=None)),
        Line("no topics", ("lightgbm", "xgboost"), without="topics"),
        Line("no pictures", ("lightgbm", "xgboost"), without="vision"),
    ],
    "losses": [
        Line(loss, settings={"loss": loss}, models=STRONGEST[: 2 if loss == "native_l1" else 3])
        for loss in ("squared", "l1", "huber", "smape", "native_l1")
    ],
    "mlp": [
        Line("one network", ("mlp",), {"networks": 1}),
        Line("four networks, no binary terms", ("mlp",), {"binary": False}),
        Line("no bins", ("mlp",), {"bins": 0}),
        Line("one hidden layer", ("mlp",), {"hidden_layer_sizes": [192]}),
    ],
}


# Of a process that computes lines: forked, it shares the blocks.
_run: Run


def table(name: str, run: Run, jobs: int) -> Iterator[str]:
    """Yield the lines of a Markdown table as they are computed, `jobs` at a time."""
    global _run  # noqa: PLW0603 - see above
    _run = run
    lines = TABLES[name]
    # The blend's score hardly shows a change if some of the strongest members are unchanged.
    names = [*run.models, "blend"] if set(STRONGEST) <= set(run.models) else run.models
    yield f"| | {' | '.join(names)} |"
    yield "|---|" + "---|" * len(names)
    # All scores, the usual ones too, are computed in the processes: one that forks should not have
    # threads of OpenMP.
    with _workers(jobs) as pool:
        titles = ["everything", *(line.name for line in lines)]
        scores = pool.map(_scores, [name] * len(titles), range(-1, len(lines)))
        for title, found in zip(titles, scores, strict=True):
            yield _row(title, found, names)


def _workers(jobs: int) -> Executor:
    if jobs == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"))


def _scores(name: str, number: int) -> dict[str, float]:
    """Return the scores of a line, which is given by its number: it has functions."""
    return _run.usual_scores() if number < 0 else _run.scores(TABLES[name][number])


def _row(title: str, scores: dict[str, float], names: list[str]) -> str:
    cells = [f"{scores[name]:.2f}" if name in scores else "-" for name in names]
    return f"| {title} | {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(), help="a checkout with results")
    parser.add_argument("--table", choices=TABLES, action="append", help="default: all")
    parser.add_argument("--models", nargs="+", default=list(STRONGEST), help="to fit again")
    parser.add_argument("--jobs", type=int, default=1, help="lines at a time, in processes")
    arguments = parser.parse_args()
    os.chdir(arguments.data)
    finished = Run(arguments.models)
    for name in arguments.table or TABLES:
        print(f"\n{name}")
        for line in table(name, finished, arguments.jobs):
            print(line, flush=True)


if __name__ == "__main__":
    run(main)
