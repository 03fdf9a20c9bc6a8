"""The scores of rows held out from every stage, beside those of the same rows out of fold.

`python benchmarks/held_out.py --data FOLDER --jobs 3` takes a fifth of the duplicate groups out of
the train rows before any stage runs: before terms, brands, topics, folds and weights. The other
rows become the train.csv of a copy of this repository, the held-out rows its test.csv, without
their prices; the stages run there, and the submission is scored. This is done for three fifths that
have no row in common.

FOLDER is a finished run, whose settings are used, or a folder of train.csv; then one more copy runs
on all rows, with the settings of this repository. The default is AMLC_COMPETITION, or
data/synthetic if that is not set. Out of fold, a row's price comes from models that were fitted to
4/5 of all rows, which is the number of train rows of a copy. The difference is paired by row.

The settings in params.yaml were chosen on all rows, so this finds leaks, but not settings that
score well by chance.
"""

import argparse
import csv
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from checkout import ROOT
from numpy.typing import NDArray
from paired import bootstrap_error
from pipeline import absolute, copy_code, pictures_of, reproduce

from amlc import params
from amlc.arrays import Bools, Floats
from amlc.catalog.columns import COMPETITION
from amlc.catalog.intake import DataSettings, read_catalogue
from amlc.catalog.products import (
    ID,
    PRICE,
    TEST_COLUMNS,
    TEXT,
    TRAIN_COLUMNS,
    links_of,
    read_products,
    test_rows,
    train_rows,
)
from amlc.catalog.splits import placeholder_links, product_groups
from amlc.errors import ParamsError, run
from amlc.metrics import row_smape
from amlc.models.blend import read_blend_predictions
from amlc.models.predictions import read_predictions
from amlc.models.registry import members

BLEND = "**blend**"
# SMAPE of each row in percent, by id, for each model.
RowScores = dict[str, pd.Series]


@dataclass(frozen=True)
class Gap:
    """SMAPE in percent of a model for the same rows, out of fold and held out.

    Parameters
    ----------
    name : str
        The model.
    out_of_fold, held_out : float
        Means over the rows of all parts.
    difference_se : float
        The standard error of their difference, paired by row.
    by_part : tuple of float
        The difference in each part.
    """

    name: str
    out_of_fold: float
    held_out: float
    difference_se: float
    by_part: tuple[float, ...]

    @property
    def difference(self) -> float:
        """By how much the score of the held-out rows is higher, which is worse."""
        return self.held_out - self.out_of_fold


def choose_parts(groups: NDArray[Any], share: float, count: int, seed: int) -> list[Bools]:
    """Choose the rows to hold out in each part: random whole groups, each in one part at most.

    Parameters
    ----------
    groups : ndarray of int, shape (n,)
        Duplicate group of each row.
    share : float
        Share of the rows in each part; a part may lack or exceed it by a group.
    count : int
        Number of parts; ``count * share`` is 1 at most.
    seed : int
        Seed of the draw.

    Returns
    -------
    list of ndarray of bool, shape (n,)
    """
    names, labels = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    total = np.cumsum(np.bincount(labels)[order])
    limits = share * len(groups) * np.arange(count + 1)
    ends = np.searchsorted(total, limits, side="right")
    return [np.isin(labels, order[first:last]) for first, last in pairwise(ends)]


def write_csv(path: Path, rows: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Write rows in the format of the competition's files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows[list(columns)].itertuples(index=False))


def read_rows(settings: DataSettings) -> pd.DataFrame:
    """Return the train rows of a catalogue, each with its duplicate group."""
    products = read_catalogue(settings).products
    rows = products.iloc[train_rows(products)]
    links = links_of(rows)
    placeholders = placeholder_links(rows[TEXT], links, settings.placeholder_titles)
    return rows.assign(group=product_groups(rows[TEXT], links, placeholders))


def prepare_copy(
    folder: Path, rows: pd.DataFrame, held_out: Bools, settings: dict[str, Any]
) -> None:
    """Fill a folder with this repository's code, and CSV files of the rows."""
    data = {**settings["data"], "dir": "data/raw", "test": "test.csv" if held_out.any() else None}
    copy_code(folder, {**settings, "data": {**data, "train": "train.csv"}})
    if (folder / "data/raw").exists():
        return
    write_csv(folder / "data/raw/train.csv", rows[~held_out], TRAIN_COLUMNS)
    if held_out.any():
        write_csv(folder / "data/raw/test.csv", rows[held_out], TEST_COLUMNS)


def out_of_fold_scores(folder: Path) -> RowScores:
    """Return the scores of the members and of the blend of a finished run, out of fold."""
    products = read_products(folder / "data/products.parquet")
    train = train_rows(products)
    ids, actual = products[ID].to_numpy()[train], products[PRICE].to_numpy()[train]
    logs = {
        name: read_predictions(folder / "data/models" / name, products)[train]
        for name in members(params.value("models", folder / "params.yaml"))
    }
    blend = read_blend_predictions(folder / "data/blend", products)["log_price"].to_numpy()[train]
    return {
        name: pd.Series(row_smape(actual, np.exp(log_price)), ids)
        for name, log_price in {**logs, BLEND: blend}.items()
    }


def held_out_scores(folder: Path, rows: pd.DataFrame) -> RowScores:
    """Return the scores of the rows that a copy did not see, the blend's by its submission.

    Parameters
    ----------
    folder : Path
        The copy.
    rows : DataFrame
        The rows that were held out, with their prices.
    """
    products = read_products(folder / "data/products.parquet")
    test = test_rows(products)
    ids = products[ID].to_numpy()[test]
    actual = rows.set_index(ID)[PRICE].loc[ids].to_numpy()
    prices = {
        name: np.exp(read_predictions(folder / "data/models" / name, products)[test])
        for name in members(params.value("models", folder / "params.yaml"))
    }
    submitted = pd.read_csv(folder / "data/submission.csv", dtype={ID: str}).set_index(ID)[PRICE]
    prices[BLEND] = submitted.loc[ids].to_numpy()
    return {name: pd.Series(row_smape(actual, price), ids) for name, price in prices.items()}


def gap(name: str, out_of_fold: pd.Series, parts: Sequence[pd.Series], groups: pd.Series) -> Gap:
    """Compare a model's scores for the held-out rows of each part with those out of fold.

    Parameters
    ----------
    name : str
        The model.
    out_of_fold, groups : Series
        Row scores and duplicate groups of all rows, by id.
    parts : sequence of Series
        Row scores of the held-out rows of each part, by id.
    """
    held_out = pd.concat(list(parts))
    same_rows = out_of_fold.loc[held_out.index]
    gaps: Floats = (held_out - same_rows).to_numpy(dtype=np.float64)
    return Gap(
        name,
        float(same_rows.mean()),
        float(held_out.mean()),
        bootstrap_error(gaps, groups.loc[held_out.index].to_numpy(), seed=0),
        tuple(float((part - out_of_fold.loc[part.index]).mean()) for part in parts),
    )


def table(scored: Sequence[Gap]) -> str:
    """Return the scores as a Markdown table."""
    parts = [f"part {number}" for number in range(1, len(scored[0].by_part) + 1)]
    header = ("model", "out of fold", "held out", "difference", "in standard errors", *parts)
    text = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for model in scored:
        cells = (
            model.name,
            f"{model.out_of_fold:.2f}",
            f"{model.held_out:.2f}",
            f"{model.difference:+.2f} +- {model.difference_se:.2f}",
            f"{model.difference / model.difference_se:+.1f}",
            *(f"{difference:+.2f}" for difference in model.by_part),
        )
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)


@dataclass(frozen=True)
class Source:
    """The rows to divide, and the settings of the runs.

    Parameters
    ----------
    rows : DataFrame
        Train rows in the competition's columns, and ``group``.
    settings : dict
        The content of params.yaml.
    finished : Path, optional
        A run on all of these rows; None: there is none yet.
    """

    rows: pd.DataFrame
    settings: dict[str, Any]
    finished: Path | None


def read_source(folder: Path, images: Path | None, count: int | None) -> Source:
    """Read a finished run, or a folder of CSV files.

    Parameters
    ----------
    folder : Path
        One with params.yaml is a finished run.
    images : Path, optional
        A folder of pictures, for a folder of CSV files; by default the folder `images` in it.
    count : int, optional
        Only this many rows, for a trial; they are not those of the finished run.

    Raises
    ------
    ParamsError
        The run's catalogue is not in the competition's format, in which the copies' files are.
    """
    finished = (folder / params.PATH).exists()
    settings = params.read(folder / params.PATH if finished else ROOT / params.PATH)
    if finished:
        settings = absolute(settings, folder, synthetic=True)
    else:
        mirror = images.resolve() if images else pictures_of(folder)
        settings["data"] |= {"dir": str(folder), "test": None}
        settings["images"]["mirror"] = str(mirror) if mirror else None
    data = DataSettings.model_validate(settings["data"])
    if data.columns != COMPETITION:
        raise ParamsError(
            f"{folder}: data.columns is not that of the competition, in whose format the rows are "
            "written for the copies; use data.holdout for other catalogues"
        )
    rows = read_rows(data)
    taken = rows if count is None else rows.iloc[:count]
    return Source(taken, settings, folder if finished and count is None else None)


def measure(source: Source, parts: Sequence[Bools], folder: Path, jobs: int) -> list[Gap]:
    """Run the pipeline without each part, and with all rows where that has not been done."""
    copies = [folder / f"part{number}" for number in range(1, len(parts) + 1)]
    for copy, held_out in zip(copies, parts, strict=True):
        prepare_copy(copy, source.rows, held_out, source.settings)
    runs = [*copies]
    if source.finished is None:
        runs.insert(0, folder / "all")
        prepare_copy(runs[0], source.rows, np.zeros(len(source.rows), bool), source.settings)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda copy: reproduce(copy, "predict"), runs))
    out_of_fold = out_of_fold_scores(source.finished or runs[0])
    held_out_by_part = [
        held_out_scores(copy, source.rows[held_out])
        for copy, held_out in zip(copies, parts, strict=True)
    ]
    groups = source.rows.set_index(ID)["group"]
    return [
        gap(name, scores, [part[name] for part in held_out_by_part], groups)
        for name, scores in out_of_fold.items()
    ]


def _arguments() -> argparse.Namespace:
    competition = os.environ.get("AMLC_COMPETITION") or "data/synthetic"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(competition), help="see above")
    parser.add_argument("--share", type=float, default=0.2, help="share of the rows in each part")
    parser.add_argument("--parts", type=int, default=3, help="parts that are held out in turn")
    parser.add_argument("--jobs", type=int, default=1, help="runs of the pipeline at a time")
    parser.add_argument("--rows", type=int, help="only the first rows, for a trial")
    parser.add_argument("--images", type=Path, help="folder of pictures; default: that of DATA")
    parser.add_argument("--keep", type=Path, help="folder of the copies, kept: they go on there")
    return parser.parse_args()


def main() -> None:
    """Hold out, run the pipeline, score."""
    arguments = _arguments()
    if not (arguments.share > 0 and arguments.parts > 0 and arguments.share * arguments.parts <= 1):
        raise ParamsError(
            "--share, --parts: expected a share above 0, and parts that are 1 at most together, "
            f"got {arguments.share} and {arguments.parts}"
        )
    source = read_source(arguments.data, arguments.images, arguments.rows)
    seed = int(source.settings["seed"])
    groups = source.rows["group"].to_numpy()
    parts = choose_parts(groups, arguments.share, arguments.parts, seed)
    with tempfile.TemporaryDirectory() as temporary:
        scored = measure(source, parts, arguments.keep or Path(temporary), arguments.jobs)
    counts = ", ".join(f"{int(part.sum()):,}" for part in parts)
    print(f"## {len(groups):,} train rows, of which {counts} held out in turn\n")
    print(table(scored))


if __name__ == "__main__":
    run(main)
