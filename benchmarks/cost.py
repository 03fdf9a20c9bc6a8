"""What a better score costs: SMAPE beside the seconds of training, for models, blends and presets.

`python benchmarks/cost.py --data FOLDER` runs the pipeline with the settings of `make quick`, with
those of params.yaml and with those of `make best`, on the catalogue of a finished run or of a
folder of train.csv. Seconds of training are those that `amlc results` shows: from the first fit of
the cross-fitting to the last prediction. All seconds are those of the model's features as well, and
for a blend from the CSV files to the submission, without the download of pictures.
CPU seconds count all threads, and depend less on what else the machine does.
"""

import argparse
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from checkout import ROOT
from peers import stages_of_member
from pipeline import Cost, absolute, copy_code, pictures_of, preset, reproduce
from setting_changes import changed, parse_changes

from amlc import layout, params
from amlc.arrays import Floats
from amlc.catalog.products import PRICE, read_products, train_rows
from amlc.errors import DataError, run
from amlc.metrics import row_smape, standard_error_over_folds
from amlc.models.blend import read_blend_predictions
from amlc.models.predictions import PREDICTIONS, read_predictions
from amlc.models.registry import members
from amlc.models.timings import recorded_of

HEADER = (
    *("settings", "model", "SMAPE", "standard error"),
    *("training, s", "in all, s", "CPU s", "peak MB"),
)
BLEND = "blend"


@dataclass(frozen=True)
class Point:
    """A model's score in percent, and what it costs in seconds and MB.

    Parameters
    ----------
    settings, model : str
        The preset, and a model's name or `BLEND`.
    smape, smape_se : float
        Out of fold, with the standard error over folds.
    training : float
        Seconds of cross-fitting; of a blend, those of its members together.
    in_all : Cost
        Of all stages that it needs, one after the other.
    """

    settings: str
    model: str
    smape: float
    smape_se: float
    training: float
    in_all: Cost

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        name = f"**{self.model}**" if self.model == BLEND else self.model
        scores = (f"{self.smape:.2f}", f"{self.smape_se:.2f}")
        total = self.in_all
        costs = (self.training, total.seconds, total.cpu_seconds, total.megabytes)
        return (self.settings, name, *scores, *(f"{number:.0f}" for number in costs))


def points(settings: str, folder: Path, costs: dict[str, Cost]) -> list[Point]:
    """Return scores and costs of a finished run: its models, then its blend.

    Raises
    ------
    DataError
        The store has no duration of a model, because it was fitted elsewhere.
    """
    products = read_products(folder / "data/products.parquet")
    train = train_rows(products)
    names = members(params.value("models", folder / params.PATH))
    actual, folds = products[PRICE].to_numpy()[train], products["fold"].to_numpy()[train]

    def point(model: str, logs: Floats, training: float, steps: list[str]) -> Point:
        scores = row_smape(actual, np.exp(logs[train]))
        in_all = Cost(0.0, 0.0, 0.0)
        for step in dict.fromkeys(steps):
            in_all = in_all.plus(costs[step])
        error = standard_error_over_folds(scores, folds)
        return Point(settings, model, float(scores.mean()), error, training, in_all)

    found = []
    for name in names:
        timing = recorded_of(folder / "data/models" / name / PREDICTIONS)
        if timing is None:
            raise DataError(f"{folder}: no duration of {name}; is AMLC_STORE that of its run?")
        logs = read_predictions(folder / "data/models" / name, products)
        steps = ["@".join(step) for step in stages_of_member(name, folder)]
        found.append(point(name, logs, timing.seconds, steps))
    logs = read_blend_predictions(folder / "data/blend", products)["log_price"].to_numpy()
    everything = [step for step in costs if step != "images"]
    training = sum(model.training for model in found)
    return [*found, point(BLEND, logs, training, everything)]


def settings_of(folder: Path) -> dict[str, Any]:
    """Return params.yaml of this repository, for the catalogue of a finished run or CSV files."""
    settings = params.read(ROOT / params.PATH)
    if (folder / params.PATH).exists():
        finished = absolute(params.read(folder / params.PATH), folder)
        settings["data"], settings["images"] = finished["data"], finished["images"]
        return settings
    if folder == layout.SYNTHETIC:
        # The runs make it, with its pictures.
        return settings
    mirror = pictures_of(folder)
    settings["images"]["mirror"] = str(mirror) if mirror else None
    settings["data"]["dir"] = str(folder)
    if not (folder / "test.csv").exists():
        settings["data"]["test"] = None
    return absolute(settings, Path())


def table(found: list[Point]) -> str:
    """Return the points as a Markdown table."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    return "\n".join([*lines, *("| " + " | ".join(point.cells()) + " |" for point in found)])


def _arguments() -> argparse.Namespace:
    competition = os.environ.get("AMLC_COMPETITION") or "data/synthetic"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(competition), help="see above")
    parser.add_argument("--presets", nargs="+", default=["quick", "default", "best"])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, of `threads` each")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="folder of the runs, kept: they go on there")
    return parser.parse_args()


def main() -> None:
    """Run each preset, print the table."""
    arguments = _arguments()
    settings = changed(settings_of(arguments.data), parse_changes(arguments.set))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)

        def measured(name: str) -> list[Point]:
            copy = folder / name
            copy_code(copy, changed(settings, parse_changes(preset(name))))
            return points(name, copy, reproduce(copy, "predict"))

        with ThreadPoolExecutor(arguments.jobs) as pool:
            found = [point for part in pool.map(measured, arguments.presets) for point in part]
        train = train_rows(read_products(folder / arguments.presets[0] / "data/products.parquet"))
    threads = settings["threads"]
    print(f"## {len(train):,} train rows, {threads} threads\n")
    print(table(found))


if __name__ == "__main__":
    run(main)
