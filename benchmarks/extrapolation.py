"""How well a learning curve through 7,000 rows predicts the scores that 75,000 rows give.

`python benchmarks/extrapolation.py --jobs 4` makes a synthetic catalogue of 75,000 rows without
pictures. Its first 7,000 rows give a learning curve, as benchmarks/learning_curve.py does for real
products: features are made from these rows alone, and nothing sees the others. Then features are
made from all rows, each model is fitted to four folds, and scored on the fifth. The curve has to
predict this score, which lies far outside the range that it was fitted to.
"""

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from checkout import ROOT
from learning_curve import BLEND, LEVEL, Scores, Trend, measure, read_study, trend
from paired import bootstrap_error
from pipeline import copy_code, reproduce
from setting_changes import changed, parse_changes

from amlc import layout, params
from amlc.errors import ParamsError, run
from amlc.models.registry import members

# No picture and no link: both cost time, and say little about the price here.
SETTINGS = (
    *("data.test=null", "data.columns.image=null", "images.mirror=null", "synthetic.images=false"),
    *("synthetic.repeated_links=0.0", "synthetic.test_rows=1"),
)
FEATURES = ("tabular", "topics", "vision")


@dataclass(frozen=True)
class Check:
    """A model's extrapolated and measured SMAPE in percent at the same number of train rows."""

    name: str
    curve: Trend
    rows: float
    measured: float
    measured_se: float

    @property
    def predicted(self) -> tuple[float, float, float]:
        """The extrapolation, with the ends of its interval."""
        estimate, low, high = (float(part[0]) for part in self.curve.at(np.array([self.rows])))
        return estimate, low, high


def make_runs(folder: Path, rows: int, few: int, jobs: int) -> tuple[Path, Path]:
    """Make both catalogues and their features; return the folders of the few and of all rows."""
    usual = params.read(ROOT / params.PATH)
    everything = changed(usual, {**parse_changes(SETTINGS), "synthetic.rows": rows})
    copy_code(folder / "all", everything)
    reproduce(folder / "all", "synthetic")
    copy_code(folder / "few", changed(everything, {"data.dir": "data/raw"}))
    (folder / "few/data/raw").mkdir(parents=True)
    catalogue = pd.read_csv(
        folder / "all" / layout.SYNTHETIC / "train.csv", dtype=str, keep_default_na=False
    )
    catalogue.iloc[:few].to_csv(folder / "few/data/raw/train.csv", index=False)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: reproduce(folder / name, *FEATURES, jobs=jobs), ("few", "all")))
    return folder / "few", folder / "all"


def checks(few: Scores, everything: Scores, seed: int) -> list[Check]:
    """Extrapolate each model's curve to the rows of the large fit, and compare."""
    return [
        Check(
            name,
            trend(few, name, seed),
            float(everything.sizes[-1]),
            float(scores.mean()),
            bootstrap_error(scores[:, -1], everything.groups, seed=seed),
        )
        for name, scores in everything.rows.items()
        if name != BLEND
    ]


def table(compared: list[Check], sizes: np.ndarray) -> str:
    """Return a Markdown table with one line per model."""
    header = ["model", *(f"{size:,.0f} rows" for size in sizes)]
    header += [f"extrapolated to {compared[0].rows:,.0f}", f"{LEVEL:.0%} interval"]
    header += ["measured there", "extrapolated too low by"]
    text = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for check in compared:
        estimate, low, high = check.predicted
        cells = [check.name, *(f"{mean:.2f}" for mean in check.curve.means)]
        cells += [f"{estimate:.1f}", f"{low:.1f} to {high:.1f}"]
        cells += [f"{check.measured:.2f} +- {check.measured_se:.2f}"]
        cells += [f"{check.measured - estimate:+.1f}"]
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=75_000, help="rows of the catalogue")
    parser.add_argument("--few", type=int, default=7_000, help="rows that the curve is fitted to")
    parser.add_argument("--models", nargs="+", default=["ridge", "lightgbm"], help="to fit")
    parser.add_argument(
        "--jobs",
        type=int,
        default=2,
        help="stages and fits at a time, and threads of the large fit",
    )
    parser.add_argument("--keep", type=Path, help="a new folder for the catalogues, kept")
    return parser.parse_args()


def main() -> None:
    """Make, fit, extrapolate, compare."""
    arguments = _arguments()
    if not 100 <= arguments.few < arguments.rows:
        raise ParamsError(
            f"--few, --rows: expected 100 <= few < rows, got {arguments.few} and {arguments.rows}"
        )
    if arguments.keep is not None and arguments.keep.exists():
        raise ParamsError(f"--keep: {arguments.keep} exists; name a new folder")
    names = members(arguments.models)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        few, everything = make_runs(folder, arguments.rows, arguments.few, arguments.jobs)
        study = read_study(few, names)
        curve = measure(study, 5, arguments.jobs)
        large = replace(read_study(everything, names), fractions=(1.0,), threads=arguments.jobs)
        compared = checks(curve, measure(large, 1, 1), study.seed)
    print(f"## Synthetic catalogue: {arguments.few:,} of {arguments.rows:,} rows\n")
    print(table(compared, curve.sizes))


if __name__ == "__main__":
    run(main)
