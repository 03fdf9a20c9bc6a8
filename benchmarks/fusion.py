"""The model fusion on a finished run: out-of-fold SMAPE, speed, and the curve over train rows.

    python benchmarks/fusion.py --data RUN --text WEIGHTS [--image WEIGHTS] [--folds 0 1]
        [--devices cuda:0] [--set epochs=10 --set text.tokens=128] [--rows 700 1400 2800]

RUN is a folder with the pipeline's data, whose products, features and pictures are read; nothing
is written there. The settings are those of params.yaml in this checkout, with the changes of --set.
With --rows, each fold is fitted to that many of its train rows, whole duplicate groups, each share
a part of the next, and neighbours are searched among them. Checkpoints go where AMLC_STORE says: a
second call with the same settings is instant, so name a new folder to measure time.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkout
import numpy as np
import pandas as pd
from learning_curve import nested
from setting_changes import changed, parse_changes

from amlc import params
from amlc.arrays import Floats, Rows
from amlc.catalog.products import TEXT, links_of, read_products, train_rows
from amlc.errors import ParamsError, run
from amlc.features.blocks import Blocks
from amlc.features.content import Content
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.features.text.neighbours import nearest_train_products
from amlc.files import write_arrays
from amlc.metrics import row_smape, smape_of_logs
from amlc.models.crossfit import Fit, Split, fits, fold_splits
from amlc.models.fusion.regressor import Fusion
from amlc.models.fusion.settings import FusionSettings
from amlc.models.target import log_prices

PARAMS = checkout.ROOT / "params.yaml"
# A backward pass costs twice a forward pass.
PASSES = 3


@dataclass(frozen=True)
class Study:
    """The train rows of a finished run.

    Parameters
    ----------
    products : DataFrame
    blocks : Blocks
        With the content; with the terms if neighbours are searched again.
    settings : FusionSettings
    """

    products: pd.DataFrame
    blocks: Blocks
    settings: FusionSettings

    def fits(self, splits: list[tuple[Rows, Rows]], threads: int) -> Any:
        """Yield the fit of each split."""
        return fits(
            lambda: Fusion(self.settings),
            self.blocks,
            self.products,
            [Split(*rows, keep_model=True) for rows in splits],
            seed=params.seed(PARAMS),
            threads=threads,
        )

    def smaller(self, fold: int, rows: int, threads: int) -> tuple["Study", tuple[Rows, Rows]]:
        """Return the study of a share of a fold's train rows and its held-out rows."""
        train, held_out = fold_splits(self.products)[fold]
        groups = self.products["group"].to_numpy()[train]
        share = nested(groups, (min(rows / len(train), 1.0),), params.seed(PARAMS) + fold)[0]
        chosen = np.concatenate([train[share], held_out])
        blocks = self.blocks.take(chosen)
        settings = params.load(NeighboursSettings, "neighbours", PARAMS)
        assert blocks.terms is not None
        neighbours = nearest_train_products(
            blocks.terms.weights, np.arange(len(share)), settings, threads=threads
        )
        products = self.products.iloc[chosen].reset_index(drop=True)
        study = Study(products, blocks.assign(neighbours=neighbours), self.settings)
        positions = np.arange(len(chosen))
        return study, (positions[: len(share)], positions[len(share) :])


def read_settings(arguments: argparse.Namespace) -> FusionSettings:
    """Return the settings of params.yaml with the changes of the command line."""
    section = params.value("train.fusion", PARAMS)
    for name, folder in (("text", arguments.text), ("image", arguments.image)):
        empty = {"pooling": "model", "architecture": arguments.architecture}
        known = {**(section[name] or empty), "model": str(folder), "revision": None}
        section[name] = None if folder is None else known
    section["devices"] = arguments.devices
    changes = parse_changes(f"train.fusion.{change}" for change in arguments.set)
    settings = changed({"train": {"fusion": section}}, changes)
    return params.check(FusionSettings, settings["train"]["fusion"], "train.fusion", PARAMS)


def read_study(data: Path, settings: FusionSettings, *, with_terms: bool) -> Study:
    """Read the train rows of a finished run."""
    products = read_products(data / "data/products.parquet")
    names = [*settings.blocks, *(["terms"] if with_terms else [])]
    blocks = Blocks.read(data / "data/features", names)
    content = Content.of_links(products[TEXT], links_of(products), data / "data/images")
    train = train_rows(products)
    blocks = blocks.assign(content=content).take(train)
    return Study(products.iloc[train].reset_index(drop=True), blocks, settings)


def operations_per_row(fit: Fit, study: Study) -> float:
    """Return the matrix operations of one training step for one row, of the text tower alone.

    Two for each weight of a matrix and token, four for each pair of tokens, layer and dimension.
    """
    model = fit.model
    assert isinstance(model, Fusion)
    tower, settings = model.networks[0].text, study.settings
    if tower is None or settings.text is None:
        return float("nan")
    matrices = sum(
        value.numel()
        for name, value in tower.model.named_parameters()
        if value.ndim == 2 and "embedding" not in name
    )
    config = tower.model.config
    texts = study.blocks.take(np.arange(min(len(study.products), 2000))).get("content")
    assert isinstance(texts, Content)
    lengths = [min(len(ids), settings.text.tokens) for ids in tower.tokenize(list(texts.texts))]
    pairs = float(np.mean(np.square(lengths)))
    attention = 4 * pairs * config.num_hidden_layers * config.hidden_size
    return float(PASSES * (2 * matrices * np.mean(lengths) + attention))


def describe(name: str, fit: Fit, study: Study, seconds: float, peak: float | None) -> str:
    """Return a line of Markdown about one fit."""
    model = fit.model
    assert isinstance(model, Fusion)
    actual = log_prices(study.products, fit.rows)
    rows = len(study.products) - len(fit.rows)
    epoch = float(np.mean(model.epoch_seconds)) if model.epoch_seconds else float("nan")
    cells = [name, f"{rows:,}", f"{smape_of_logs(actual, fit.log_price):.2f}"]
    cells += [f"{epoch:.1f}", f"{rows / epoch:.0f}", f"{seconds:.0f}"]
    if peak is not None:
        cells.append(f"{rows / epoch * operations_per_row(fit, study) / peak / 1e12:.1%}")
    blocks = study.blocks.take(fit.rows)
    curve = [smape_of_logs(actual, values) for _, values in model.staged_predict(blocks)]
    cells.append(" ".join(f"{value:.2f}" for value in curve))
    return "| " + " | ".join(cells) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--text", type=Path, help="weights of the text tower; default: none")
    parser.add_argument("--image", type=Path, help="weights of the image tower; default: none")
    parser.add_argument("--architecture", help="the network of a bare state dict")
    parser.add_argument("--devices", nargs="+", default=["cpu"])
    parser.add_argument("--folds", type=int, nargs="+", help="default: all")
    parser.add_argument("--rows", type=int, nargs="+", help="numbers of train rows")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--threads", type=int, default=params.threads(PARAMS))
    parser.add_argument("--peak-tflops", type=float, help="matrix peak of the device")
    parser.add_argument("--out", type=Path, help=".npz of out-of-fold log prices to write")
    return parser.parse_args()


def main() -> None:
    """Fit, score and print."""
    arguments = _arguments()
    study = read_study(arguments.data, read_settings(arguments), with_terms=bool(arguments.rows))
    splits = fold_splits(study.products)
    folds = arguments.folds or list(range(len(splits)))
    if unknown := [fold for fold in folds if not 0 <= fold < len(splits)]:
        raise ParamsError(f"--folds: no fold {unknown[0]}; the run has 0 to {len(splits) - 1}")
    header = ["fold", "rows", "SMAPE", "s per epoch", "rows/s", "s in all"]
    header += ["of peak"] if arguments.peak_tflops else []
    header += ["SMAPE after each epoch"]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header), flush=True)
    log_price: Floats = np.full(len(study.products), np.nan)
    if arguments.rows:
        for fold in folds:
            for rows in arguments.rows:
                smaller, split = study.smaller(fold, rows, arguments.threads)
                _report(smaller, {str(fold): split}, arguments)
        return
    log_price = _report(study, {str(fold): splits[fold] for fold in folds}, arguments)
    known = np.isfinite(log_price)
    actual = log_prices(study.products)
    scores = row_smape(np.exp(actual[known]), np.exp(log_price[known]))
    print(f"\n{known.sum():,} rows: SMAPE {scores.mean():.3f}")
    if arguments.out is not None:
        write_arrays(arguments.out, log_price=log_price)


def _report(
    study: Study, splits: dict[str, tuple[Rows, Rows]], arguments: argparse.Namespace
) -> Floats:
    """Print a line for each split, and return the held-out log prices."""
    log_price = np.full(len(study.products), np.nan)
    started = time.monotonic()
    for name, fit in zip(splits, study.fits(list(splits.values()), arguments.threads), strict=True):
        seconds, started = time.monotonic() - started, time.monotonic()
        log_price[fit.rows] = fit.log_price
        print(describe(name, fit, study, seconds, arguments.peak_tflops), flush=True)
    return log_price


if __name__ == "__main__":
    run(main)
