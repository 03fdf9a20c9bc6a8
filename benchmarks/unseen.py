"""The blend's score on rows that nothing saw, beside its out-of-fold score.

`python benchmarks/unseen.py --data FOLDER` takes a share of the duplicate groups out of FOLDER's
train.csv before anything else: before terms, brands, topics, folds and weights. The rows that are
left become the train.csv of a copy of this repository, those that were taken out its test.csv,
without their prices; `dvc repro predict` makes a submission there, and that is scored. FOLDER is
the one that AMLC_COMPETITION names, else data/synthetic, where --data is left out.

The settings in params.yaml were chosen on all rows, so this finds leaks, not a lucky choice.
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
from amlc.arrays import Floats
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
from amlc.catalog.splits import product_groups
from amlc.errors import CheckError, ParamsError, run
from amlc.metrics import row_smape
from amlc.models.blend import read_blend
from amlc.models.predictions import read_predictions
from amlc.models.registry import members

# What the pipeline in the copy consists of.
CODE = ("amlc", "stages", "dvc.yaml", "params.yaml", ".dvcignore")


@dataclass(frozen=True)
class Gap:
    """SMAPE in percent of the same model on two sets of rows, with standard errors."""

    name: str
    seen: float
    seen_se: float
    unseen: float
    unseen_se: float

    @property
    def difference(self) -> float:
        """Return how much worse the rows are that nothing saw."""
        return self.unseen - self.seen

    @property
    def difference_se(self) -> float:
        """Return its standard error; the two sets have no row in common."""
        return float(np.hypot(self.seen_se, self.unseen_se))


def held_out(groups: NDArray[Any], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which rows to hold out: whole groups at random, until the share is reached.

    Parameters
    ----------
    groups : ndarray of int, shape (n,)
        Duplicate group of each row.
    share : float
        Of the rows, between 0 and 1.
    seed : int
        Of the draw.
    """
    names, labels = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    total = np.cumsum(np.bincount(labels)[order])
    taken = order[: int(np.searchsorted(total, share * len(groups))) + 1]
    return np.isin(labels, taken)


def write_csv(path: Path, rows: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Write rows as the competition does."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows[list(columns)].itertuples(index=False))


def read_rows(folder: Path, settings: DataSettings) -> pd.DataFrame:
    """Return the train rows of a folder's CSV files, each with its duplicate group."""
    found = read_catalogue(settings.model_copy(update={"dir": str(folder)}))
    rows = found.products.iloc[train_rows(found.products)]
    return rows.assign(group=product_groups(rows[TEXT], rows[LINK]))


def prepare_copy(folder: Path, rows: pd.DataFrame, out: NDArray[np.bool_], mirror: str) -> None:
    """Fill a folder with this repository's code and the split CSV files."""
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    write_csv(raw / "train.csv", rows[~out], TRAIN_COLUMNS)
    write_csv(raw / "test.csv", rows[out], TEST_COLUMNS)
    (folder / "metrics").mkdir()
    settings = params.read(folder / "params.yaml")
    settings["data"]["dir"] = "data/raw"
    settings["images"]["mirror"] = mirror or None
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


def reproduce(folder: Path) -> None:
    """Run the pipeline in the copy; its output goes to stderr.

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


def gap(name: str, seen: Floats, seen_groups: Any, unseen: Floats, unseen_groups: Any) -> Gap:
    """Return a model's scores on both sets, from row scores and duplicate groups."""
    errors = [
        bootstrap_error(rows, np.asarray(groups), seed=0)
        for rows, groups in ((seen, seen_groups), (unseen, unseen_groups))
    ]
    return Gap(name, float(seen.mean()), errors[0], float(unseen.mean()), errors[1])


def gaps(folder: Path, rows: pd.DataFrame) -> list[Gap]:
    """Score the finished copy: members and blend, the last by its submission file.

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
    found = []
    for name in members(params.value("models", folder / "params.yaml")):
        predicted = np.exp(read_predictions(folder / "data/models" / name, products))
        seen = row_smape(actual, predicted[train])
        found.append(gap(name, seen, groups, row_smape(prices, predicted[test]), test_groups))
    blend = np.exp(read_blend(folder / "data/blend", products)["log_price"].to_numpy()[train])
    submitted = pd.read_csv(folder / "data/submission.csv", dtype={ID: str}).set_index(ID)[PRICE]
    unseen = row_smape(prices, submitted.loc[products[ID].iloc[test]].to_numpy())
    return [*found, gap("**blend**", row_smape(actual, blend), groups, unseen, test_groups)]


def table(found: list[Gap]) -> str:
    """Return the scores as a Markdown table."""
    header = ("model", "out of fold", "never seen", "difference", "in standard errors")
    text = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for one in found:
        cells = (
            one.name,
            f"{one.seen:.2f} +- {one.seen_se:.2f}",
            f"{one.unseen:.2f} +- {one.unseen_se:.2f}",
            f"{one.difference:+.2f} +- {one.difference_se:.2f}",
            f"{one.difference / one.difference_se:+.1f}",
        )
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)


def _arguments() -> argparse.Namespace:
    competition = os.environ.get("AMLC_COMPETITION", "data/synthetic")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(competition), help="folder of CSV files")
    parser.add_argument("--share", type=float, default=0.2, help="of the rows to hold out")
    parser.add_argument("--images", type=Path, help="of pictures; DATA/images where there is one")
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
    out = held_out(rows["group"].to_numpy(), arguments.share, params.seed(path))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepare_copy(folder, rows, out, mirror)
        reproduce(folder)
        found = gaps(folder, rows[out])
    print(f"## {int((~out).sum()):,} rows trained on, {int(out.sum()):,} rows that nothing saw\n")
    print(table(found))


if __name__ == "__main__":
    run(main)
