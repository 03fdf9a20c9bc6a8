"""SMAPE by the number of train rows for each model, extrapolated to more rows.

`python benchmarks/learning_curve.py --picture curve.png` reads a finished pipeline run. For each
held-out fold, each model is fitted to 1/8, 1/4, 1/2 and all of the other folds' rows: whole
duplicate groups, each share a part of the next. Neighbours are searched again among the rows of a
share; terms, topics and tabular columns do not depend on prices and stay as fitted to all train
texts. At each share, the blend's weights are learned from the other held-out folds.

The curve a + b n^-c, with a, b >= 0 and 0.05 <= c <= 1, is fitted by weighted least squares. Three
parameters for four points are weak evidence: the interval, from resampled folds and duplicate
groups, assumes that the curve has this form. The column `missed by` is the error, at the largest
share, of the curve through the three smaller ones.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# isort: off
import checkout  # noqa: F401 - makes amlc importable
import stages  # noqa: F401 - chooses kernels, as for workers, before NumPy is imported

# isort: on
import numpy as np
import pandas as pd
from executor_choice import chosen
from numpy.typing import NDArray
from paired import group_sums
from picture_path import picture_path
from tqdm import tqdm

from amlc import params
from amlc.arrays import Floats, Rows
from amlc.catalog.products import read_products, train_rows
from amlc.errors import ParamsError, run
from amlc.execution.backend import THREADS, Backend, in_order, open_pool
from amlc.execution.executor import open_backend
from amlc.features.block_names import BlockName
from amlc.features.blocks import Blocks
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.features.text.neighbours import nearest_train_products
from amlc.files import replacing
from amlc.metrics import row_smape
from amlc.models.base import Regressor
from amlc.models.blend_fitting import simplex_weights
from amlc.models.registry import members, regressor
from amlc.models.target import log_prices, make_target

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
BLEND = "blend"
# The exponents of the curve that are tried.
EXPONENTS = np.linspace(0.05, 1.0, 96)
# The number of resamples, and the level of the interval that they give.
DRAWS = 1000
LEVEL = 0.9


@dataclass(frozen=True)
class Curve:
    """Power laws a + b n^-c, one for each set of scores."""

    floor: Floats
    scale: Floats
    exponent: Floats

    def at(self, rows: Floats) -> Floats:
        """Return the scores at these numbers of rows, shape (curves, numbers)."""
        power = np.asarray(rows)[None, :] ** -self.exponent[:, None]
        return self.floor[:, None] + self.scale[:, None] * power


@dataclass(frozen=True)
class Scores:
    """Scores of the rows that were held out.

    Parameters
    ----------
    rows : dict of str to ndarray of float64, shape (n, shares)
        SMAPE of each row in percent, by model.
    groups, folds : ndarray of int, shape (n,)
        Duplicate group and fold of each row.
    sizes : ndarray of float64, shape (shares,)
        Train rows, the mean over the folds.
    """

    rows: dict[str, Floats]
    groups: NDArray[Any]
    folds: NDArray[Any]
    sizes: Floats


def nested(groups: NDArray[Any], shares: tuple[float, ...], seed: int) -> list[Rows]:
    """Return the rows of each share: whole groups in one random order, each share part of the next.

    Parameters
    ----------
    groups : ndarray of int, shape (n,)
        Duplicate group of each row.
    shares : tuple of float
        Shares of the rows; a part may be a little larger, because groups stay whole.
    seed : int
        Seed of the order.
    """
    names, labels = np.unique(groups, return_inverse=True)
    rank = np.random.default_rng(seed).permutation(len(names))
    total = np.cumsum(np.bincount(rank[labels], minlength=len(names)))
    lasts = [np.searchsorted(total, share * len(groups)) for share in shares]
    return [np.flatnonzero(rank[labels] <= last) for last in lasts]


def power_laws(sizes: Floats, scores: Floats, errors: Floats) -> Curve:
    """Fit a + b n^-c to each row of scores by least squares, weighted by the standard errors.

    Parameters
    ----------
    sizes : ndarray of float64, shape (points,)
        Numbers of rows.
    scores : ndarray of float64, shape (curves, points)
        SMAPE at these numbers.
    errors : ndarray of float64, shape (points,)
        Standard errors of the scores.

    Notes
    -----
    For a given exponent the best a and b >= 0 have a closed form, so every exponent of a grid is
    tried, and no starting point is needed.
    """
    weights = 1 / errors**2
    power = sizes[None, :] ** -EXPONENTS[:, None]
    mean = (power * weights).sum(axis=1) / weights.sum()
    centred = power - mean[:, None]
    level = (scores * weights).sum(axis=1) / weights.sum()
    gap = scores - level[:, None]
    scale = gap @ (centred * weights).T / (centred**2 * weights).sum(axis=1)
    scale = np.maximum(scale, 0)
    floor = level[:, None] - scale * mean
    # Where the best floor is below 0, the best curve within the bounds has a floor of 0.
    through_zero = scores @ (power * weights).T / (power**2 * weights).sum(axis=1)
    scale = np.where(floor < 0, through_zero, scale)
    floor = np.maximum(floor, 0)
    fitted = floor[..., None] + scale[..., None] * power
    best = (((scores[:, None, :] - fitted) ** 2) * weights).sum(axis=2).argmin(axis=1)
    rows = np.arange(len(scores))
    return Curve(floor[rows, best], scale[rows, best], EXPONENTS[best])


def resampled(scores: Floats, groups: NDArray[Any], folds: NDArray[Any], seed: int) -> Floats:
    """Return mean scores of resamples of the folds, and of the duplicate groups within each fold.

    Returns
    -------
    ndarray of float64, shape (DRAWS, shares)
    """
    names = np.unique(folds)
    parts = [group_sums(scores[folds == name], groups[folds == name]) for name in names]
    rng = np.random.default_rng(seed)
    means = np.empty((DRAWS, scores.shape[1]))
    for draw in range(DRAWS):
        total, count = np.zeros(scores.shape[1]), 0.0
        for number in rng.integers(0, len(names), len(names)):
            sums, counts = parts[number]
            picked = rng.integers(0, len(counts), len(counts))
            total += sums[picked].sum(axis=0)
            count += counts[picked].sum()
        means[draw] = total / count
    return means


@dataclass(frozen=True)
class Study:
    """The data and models of a finished run.

    Parameters
    ----------
    products : DataFrame
        The train rows of the product table.
    blocks : Blocks
        Their features.
    models : dict of str to Regressor
        Unfitted, by name.
    neighbours : NeighboursSettings
        Settings of the search for neighbours within a share.
    seed : int
        Seed of fits and shares.
    fractions : tuple of float
        The shares of the rows, ascending.
    threads : int
        Threads of a search or a fit.
    """

    products: pd.DataFrame
    blocks: Blocks
    models: dict[str, Regressor]
    neighbours: NeighboursSettings
    seed: int
    fractions: tuple[float, ...] = SHARES
    threads: int = 1

    def shares(self, fold: int) -> list[Rows]:
        """Return the rows of each share outside a fold."""
        others = np.flatnonzero(self.products["fold"].to_numpy() != fold)
        groups = self.products["group"].to_numpy()[others]
        return [others[rows] for rows in nested(groups, self.fractions, self.seed + fold)]

    def predict(self, fold: int, share: int) -> dict[str, Floats]:
        """Return a fold's log prices by each model that is fitted to a share of the other folds."""
        held_out = np.flatnonzero(self.products["fold"].to_numpy() == fold)
        rows = self.shares(fold)[share]
        train, other = self._blocks(rows, held_out)
        return {
            name: self._fit(model, train, rows).predict(other)
            for name, model in self.models.items()
        }

    def _blocks(self, train: Rows, held_out: Rows) -> tuple[Blocks, Blocks]:
        """Return the blocks of both, with neighbours found among the train rows."""
        both = self.blocks.take(np.concatenate([train, held_out]))
        if any("neighbours" in model.settings.blocks for model in self.models.values()):
            assert both.terms is not None
            neighbours = nearest_train_products(
                both.terms.weights, np.arange(len(train)), self.neighbours, threads=self.threads
            )
            both = both.assign(neighbours=neighbours)
        rows = np.arange(len(both))
        return both.take(rows[: len(train)]), both.take(rows[len(train) :])

    def _fit(self, model: Regressor, blocks: Blocks, rows: Rows) -> Regressor:
        target = make_target(self.products.iloc[rows], blocks.tabular, model.settings.weights)
        unfitted = type(model)(model.settings)
        return unfitted.fit(blocks, target, seed=self.seed, threads=self.threads)


def read_study(data: Path, names: list[str]) -> Study:
    """Read products, features and settings of a finished run."""
    path = data / "params.yaml"
    models = {}
    for name in names:
        kind = regressor(name)
        models[name] = kind(params.load(kind.settings_type, f"train.{name}", path))
    needed = {block for model in models.values() for block in model.settings.blocks}
    # Neighbours are searched by terms, within each share.
    needed |= {"terms"} if "neighbours" in needed else set()
    order: list[BlockName] = ["tabular", "terms", "topics", "vision"]
    products = read_products(data / "data/products.parquet")
    train = train_rows(products)
    blocks = Blocks.read(data / "data/features", [name for name in order if name in needed])
    return Study(
        products.iloc[train].reset_index(drop=True),
        blocks.take(train),
        models,
        params.load(NeighboursSettings, "neighbours", path),
        params.seed(path),
    )


def measure(study: Study, count: int, jobs: int, backend: Backend = THREADS) -> Scores:
    """Fit all models and return their row scores.

    Parameters
    ----------
    study : Study
        Data and models.
    count : int
        Folds that are held out in turn.
    jobs : int
        Pieces at a time; one is all models on one share of one fold.
    backend : Backend
        Where they are computed.
    """
    folds = study.products["fold"].to_numpy()
    chosen = [int(fold) for fold in np.unique(folds)[:count]]
    # The largest shares first, so that no worker is left with one at the end.
    shares = range(len(study.fractions))
    pieces = [(fold, share) for share in reversed(shares) for fold in chosen]
    with open_pool(
        backend, study, at_once=jobs, unit="share of a fold", threads=study.threads
    ) as pool:
        results = in_order(pool, predict_piece, pieces)
        bar = tqdm(results, total=len(pieces), desc="fits", disable=None)
        by_piece = dict(zip(pieces, bar, strict=True))
    rows = np.concatenate([np.flatnonzero(folds == fold) for fold in chosen])
    log_price = log_prices(study.products, rows)
    logs = {
        name: np.concatenate(
            [np.stack([by_piece[fold, share][name] for share in shares], axis=1) for fold in chosen]
        )
        for name in study.models
    }
    if len(chosen) > 1 and len(logs) > 1:
        logs[BLEND] = blended(np.stack(list(logs.values()), axis=2), log_price, folds[rows])
    actual = np.exp(log_price)
    scores = {
        name: np.stack([row_smape(actual, np.exp(column)) for column in predicted.T], axis=1)
        for name, predicted in logs.items()
    }
    groups = study.products["group"].to_numpy()[rows]
    sizes = np.mean([[len(part) for part in study.shares(fold)] for fold in chosen], axis=0)
    return Scores(scores, groups, folds[rows], sizes)


def predict_piece(study: Study, piece: tuple[int, int]) -> dict[str, Floats]:
    """Return `Study.predict` for a fold and a share."""
    return study.predict(*piece)


def blended(member_logs: Floats, log_price: Floats, folds: NDArray[Any]) -> Floats:
    """Return the blend's log prices at each share; a fold's weights come from the other folds.

    Parameters
    ----------
    member_logs : ndarray of float64, shape (n, shares, members)
        Predicted log prices.
    log_price : ndarray of float64, shape (n,)
        Actual log prices.
    folds : ndarray of int, shape (n,)
        The fold of each row; there must be two or more folds.
    """
    rows, shares, _ = member_logs.shape
    predicted = np.empty((rows, shares))
    for fold in np.unique(folds):
        fit, held_out = folds != fold, folds == fold
        for share in range(shares):
            weights = simplex_weights(member_logs[fit, share], log_price[fit])
            predicted[held_out, share] = member_logs[held_out, share] @ weights
    return predicted


@dataclass(frozen=True)
class Trend:
    """A model's scores by share, and their extrapolation.

    Parameters
    ----------
    means, errors : ndarray of float64, shape (shares,)
        SMAPE in percent, and its standard error.
    curve : Curve
        Fitted to the means.
    draws : Curve
        Fitted to resamples of the means.
    missed : float
        Error, at the last share, of the curve through the other shares.
    """

    means: Floats
    errors: Floats
    curve: Curve
    draws: Curve
    missed: float

    def at(self, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """Return estimate, low and high limit at these numbers of rows."""
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(self.draws.at(rows), [tail, 1 - tail], axis=0)
        return self.curve.at(rows)[0], low, high


def trend(scores: Scores, name: str, seed: int) -> Trend:
    """Fit the curves of one model."""
    rows = scores.rows[name]
    means = rows.mean(axis=0)
    draws = resampled(rows, scores.groups, scores.folds, seed)
    errors = draws.std(axis=0, ddof=1)
    curve = power_laws(scores.sizes, means[None, :], errors)
    shorter = power_laws(scores.sizes[:-1], means[None, :-1], errors[:-1])
    missed = float(shorter.at(scores.sizes[-1:])[0, 0] - means[-1])
    return Trend(means, errors, curve, power_laws(scores.sizes, draws, errors), missed)


def table(trends: dict[str, Trend], sizes: Floats, target: int) -> str:
    """Return a Markdown table with one line per model."""
    header = ["model", *(f"{size:,.0f} rows" for size in sizes), "exponent", "missed by"]
    header += [f"at {target:,} rows", f"{LEVEL:.0%} interval"]
    text = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for name, model in trends.items():
        estimate, low, high = (float(part[0]) for part in model.at(np.array([float(target)])))
        cells = [name]
        cells += [f"{m:.2f} +- {e:.2f}" for m, e in zip(model.means, model.errors, strict=True)]
        cells += [f"{model.curve.exponent[0]:.2f}", f"{model.missed:+.2f}"]
        cells += [f"{estimate:.1f}", f"{low:.1f} to {high:.1f}"]
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)


def draw(path: Path, trends: dict[str, Trend], sizes: Floats, target: int) -> None:
    """Draw one panel per model: measured points, the fitted curve and its interval."""
    # Slow to import, and needed only for a picture.
    import matplotlib as mpl  # noqa: PLC0415 - see above

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - see above
    from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: PLC0415 - see above

    plt.style.use("seaborn-v0_8-whitegrid")
    wide = min(4, len(trends))
    tall = -(-len(trends) // wide)
    figure, axes = plt.subplots(
        tall, wide, figsize=(3.1 * wide, 2.9 * tall), sharex=True, sharey=True, squeeze=False
    )
    grid = np.geomspace(sizes[0], target, 80)
    blue = "#4c72b0"
    for axis, (name, model) in zip(axes.flat, trends.items(), strict=False):
        estimate, low, high = model.at(grid)
        axis.fill_between(grid, low, high, color=blue, alpha=0.2, linewidth=0)
        inside = grid <= sizes[-1]
        axis.plot(grid[inside], estimate[inside], color=blue)
        axis.plot(grid[~inside], estimate[~inside], color=blue, linestyle="--")
        axis.errorbar(sizes, model.means, model.errors, fmt="o", ms=4, color="black", capsize=2)
        axis.set_title(f"{name}: {estimate[-1]:.1f} ({low[-1]:.1f} to {high[-1]:.1f})")
        axis.set_xscale("log")
        axis.set_xticks([*sizes, target])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(_thousands))
    for axis in axes.flat[len(trends) :]:
        axis.set_visible(False)
    figure.supylabel("SMAPE, %")
    figure.supxlabel(
        f"train rows; dashed: extrapolated to {target:,}, with its {LEVEL:.0%} interval"
    )
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format=path.suffix.removeprefix(".") or "png")
    plt.close(figure)


def _thousands(size: float, _: int) -> str:
    return f"{size:.0f}" if size < 1000 else f"{size / 1000:.3g}k"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(), help="folder of a finished run")
    parser.add_argument("--models", nargs="*", help="default: those of params.yaml")
    parser.add_argument("--folds", type=int, default=5, help="how many folds to hold out in turn")
    parser.add_argument("--rows", type=int, default=75_000, help="number of rows to extrapolate to")
    parser.add_argument("--jobs", type=int, help="pieces at a time; default: `threads`")
    parser.add_argument("--executor", help="threads, processes or local:N")
    parser.add_argument("--picture", type=picture_path, help="a .png, .svg or .pdf to write")
    return parser.parse_args()


def main() -> None:
    """Measure, fit, print and draw."""
    arguments = _arguments()
    if arguments.folds < 1:
        raise ParamsError(f"--folds: expected 1 or more, got {arguments.folds}")
    path = arguments.data / "params.yaml"
    names = members(arguments.models or params.value("models", path))
    study = read_study(arguments.data, names)
    jobs = arguments.jobs or params.threads(path)
    with open_backend(chosen(arguments.executor, path)) as backend:
        scores = measure(study, arguments.folds, jobs, backend)
    trends = {name: trend(scores, name, study.seed) for name in scores.rows}
    held_out = len(np.unique(scores.folds))
    print(f"## Learning curve: {len(scores.groups):,} rows in {held_out} folds held out\n")
    print(table(trends, scores.sizes, arguments.rows))
    if arguments.picture is not None:
        draw(arguments.picture, trends, scores.sizes, arguments.rows)


if __name__ == "__main__":
    run(main)
