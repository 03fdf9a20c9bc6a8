"""The blend's score on rows that were held out from every stage, beside its out-of-fold score.

`python benchmarks/held_out.py --data FOLDER` takes a share of the duplicate groups out of FOLDER's
train.csv before any stage runs: before terms, brands, topics, folds and weights. The other rows
become the train.csv of a copy of this repository, the held-out rows its test.csv, without their
prices; `dvc repro predict` writes a submission there, which is scored. The default of FOLDER is
AMLC_COMPETITION, or data/synthetic if that is not set.

The settings in params.yaml were chosen on all rows, so this finds leaks, but not settings that
score well by chance.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from checkout import ROOT
from numpy.typing import NDArray
from paired import bootstrap_error

from amlc import params
from amlc.arrays import Bools, Floats
from amlc.catalog.intake import DataSettings, read_catalogue
from amlc.catalog.products import (
    ID,
    LINK,
    PRICE,
    TEST_COLUMNS,
    TEXT,
    TRAIN_COLUMNS,
    read_products,
    test_rows,
    train_rows,
)
from amlc.catalog.splits import placeholder_links, product_groups
from amlc.errors import CheckError, ParamsError, run
from amlc.metrics import row_smape
from amlc.models.blend import read_blend_predictions
from amlc.models.predictions import read_predictions
from amlc.models.registry import members

# The files of the pipeline in the copy.
CODE = ("amlc", "stages", "dvc.yaml", "params.yaml", ".dvcignore")


@dataclass(frozen=True)
class Gap:
    """SMAPE in percent of a model on train rows, out of fold, and on held-out rows, with errors."""

    name: str
    out_of_fold: float
    out_of_fold_se: float
    held_out: float
    held_out_se: float

    @property
    def difference(self) -> float:
        """By how much the score of the held-out rows is higher, which is worse."""
        return self.held_out - self.out_of_fold

    @property
    def difference_se(self) -> float:
        """The standard error of the difference; the two sets of rows are disjoint."""
        return float(np.hypot(self.out_of_fold_se, self.held_out_se))


def choose_held_out(groups: NDArray[Any], share: float, seed: int) -> Bools:
    """Choose the rows to hold out: random whole groups, until the share is reached.

    Parameters
    ----------
    groups : ndarray of int, shape (n,)
        Duplicate group of each row.
    share : float
        Share of the rows to hold out, between 0 and 1.
    seed : int
        Seed of the draw.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    names, labels = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    total = np.cumsum(np.bincount(labels)[order])
    taken = order[: int(np.searchsorted(total, share * len(groups))) + 1]
    return np.isin(labels, taken)


def write_csv(path: Path, rows: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Write rows in the format of the competition's files."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows[list(columns)].itertuples(index=False))


def read_rows(folder: Path, settings: DataSettings) -> pd.DataFrame:
    """Return the train rows of a folder's CSV files, each with its duplicate group."""
    products = read_catalogue(settings.model_copy(update={"dir": str(folder)})).products
    rows = products.iloc[train_rows(products)]
    placeholders = placeholder_links(rows[TEXT], rows[LINK], settings.placeholder_titles)
    return rows.assign(group=product_groups(rows[TEXT], rows[LINK], placeholders))


def prepare_copy(folder: Path, rows: pd.DataFrame, held_out: Bools, mirror: str) -> None:
    """Fill a folder with this repository's code and the split CSV files."""
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    write_csv(raw / "train.csv", rows[~held_out], TRAIN_COLUMNS)
    write_csv(raw / "test.csv", rows[held_out], TEST_COLUMNS)
    (folder / "metrics").mkdir()
    settings = params.read(folder / "params.yaml")
    settings["data"]["dir"] = "data/raw"
    settings["images"]["mirror"] = mirror or None
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


def reproduce(folder: Path) -> None:
    """Run the pipeline in the copy, with its output on stderr.

    Raises
    ------
    CheckError
        A stage failed.
    """
    tools = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": "",
        "DVC_NO_ANALYTICS": "1",
    }
    for command in (["dvc", "init", "--no-scm", "--quiet"], ["dvc", "repro", "predict"]):
        done = subprocess.run(command, cwd=folder, env=environment, stdout=sys.stderr, check=False)
        if done.returncode:
            raise CheckError(f"{' '.join(command)} failed in {folder}; see above")


def gap(
    name: str, out_of_fold: Floats, train_groups: Any, held_out: Floats, test_groups: Any
) -> Gap:
    """Return a model's scores on both sets, from row scores and duplicate groups."""
    train_error = bootstrap_error(out_of_fold, np.asarray(train_groups), seed=0)
    test_error = bootstrap_error(held_out, np.asarray(test_groups), seed=0)
    return Gap(name, float(out_of_fold.mean()), train_error, float(held_out.mean()), test_error)


def gaps(folder: Path, rows: pd.DataFrame) -> list[Gap]:
    """Score the members and the blend of the finished copy, the blend by its submission file.

    Parameters
    ----------
    folder : Path
        The copy, after `reproduce`.
    rows : DataFrame
        The rows that were held out, with their prices and groups.
    """
    products = read_products(folder / "data/products.parquet")
    train, test = train_rows(products), test_rows(products)
    prices = rows.set_index(ID)[PRICE].loc[products[ID].iloc[test]].to_numpy()
    test_groups = rows.set_index(ID)["group"].loc[products[ID].iloc[test]].to_numpy()
    actual = products[PRICE].to_numpy()[train]
    groups = products["group"].to_numpy()[train]
    scored = []
    for name in members(params.value("models", folder / "params.yaml")):
        predicted = np.exp(read_predictions(folder / "data/models" / name, products))
        out_of_fold = row_smape(actual, predicted[train])
        held_out = row_smape(prices, predicted[test])
        scored.append(gap(name, out_of_fold, groups, held_out, test_groups))
    blend = np.exp(
        read_blend_predictions(folder / "data/blend", products)["log_price"].to_numpy()[train]
    )
    submitted = pd.read_csv(folder / "data/submission.csv", dtype={ID: str}).set_index(ID)[PRICE]
    held_out = row_smape(prices, submitted.loc[products[ID].iloc[test]].to_numpy())
    return [*scored, gap("**blend**", row_smape(actual, blend), groups, held_out, test_groups)]


def table(scored: list[Gap]) -> str:
    """Return the scores as a Markdown table."""
    header = ("model", "out of fold", "held out", "difference", "in standard errors")
    text = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for model in scored:
        cells = (
            model.name,
            f"{model.out_of_fold:.2f} +- {model.out_of_fold_se:.2f}",
            f"{model.held_out:.2f} +- {model.held_out_se:.2f}",
            f"{model.difference:+.2f} +- {model.difference_se:.2f}",
            f"{model.difference / model.difference_se:+.1f}",
        )
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)


def _arguments() -> argparse.Namespace:
    competition = os.environ.get("AMLC_COMPETITION") or "data/synthetic"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(competition), help="folder of CSV files")
    parser.add_argument("--share", type=float, default=0.2, help="share of the rows to hold out")
    parser.add_argument("--images", type=Path, help="folder of pictures; default: DATA/images")
    parser.add_argument("--keep", type=Path, help="a new folder for the copy, kept afterwards")
    return parser.parse_args()


def main() -> None:
    """Hold out, run the pipeline, score."""
    arguments = _arguments()
    if not 0 < arguments.share < 1:
        raise ParamsError(f"--share: expected a number between 0 and 1, got {arguments.share}")
    if arguments.keep is not None and arguments.keep.exists():
        raise ParamsError(f"--keep: {arguments.keep} exists; name a new folder")
    images = arguments.images or arguments.data / "images"
    mirror = str(images.resolve()) if images.is_dir() else ""
    path = ROOT / "params.yaml"
    rows = read_rows(arguments.data, params.load(DataSettings, "data", path))
    held_out = choose_held_out(rows["group"].to_numpy(), arguments.share, params.seed(path))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepare_copy(folder, rows, held_out, mirror)
        reproduce(folder)
        scored = gaps(folder, rows[held_out])
    counts = int((~held_out).sum()), int(held_out.sum())
    print("## {:,} train rows, {:,} held-out rows\n".format(*counts))
    print(table(scored))


if __name__ == "__main__":
    run(main)
