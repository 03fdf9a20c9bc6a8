"""Draw the documentation's pictures of records: `python -m tools.charts`.

The same record and the same Matplotlib give the same bytes.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from amlc.errors import run
from amlc.files import read_json, replacing
from tools.parts import record_cells, record_positions
from tools.record import RESULTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COST = "cost"
PICTURE = Path("docs/pictures/cost.svg")
COLUMNS = ("settings", "model", "SMAPE", "in all, s")
# Marks on the axis of seconds, with what a user calls them.
TIMES = {10: "10 s", 30: "30 s", 60: "1 min", 180: "3 min", 600: "10 min", 1800: "30 min"}
# Points that are no better than this much above the best one of all are shown.
WINDOW = 6.0
# Where the names of the blends stand, in points from their marks.
BLEND_LABELS = {"quick": (-7, -3), "default": (-7, -9), "best": (6, 5)}


@dataclass(frozen=True)
class Point:
    """A model or a blend: the settings that it ran with, its SMAPE in percent, its seconds."""

    settings: str
    model: str
    smape: float
    seconds: float

    @property
    def is_blend(self) -> bool:
        """Whether it is the blend of all models of the settings."""
        return self.model == "blend"


def read_points(root: Path) -> list[Point]:
    """Return the points of the record, without models that are far behind or were fitted before.

    A model that scores as with earlier settings is the same fit.
    """
    header, *rows = record_cells(read_json(root / RESULTS / f"{COST}.json"))
    at = record_positions(header, COLUMNS, f"{COST}.json")
    points = [
        Point(
            row[at["settings"]],
            row[at["model"]].strip("*"),
            float(row[at["SMAPE"]]),
            float(row[at["in all, s"]]),
        )
        for row in rows
    ]
    best = min(point.smape for point in points)
    near = [point for point in points if point.is_blend or point.smape <= best + WINDOW]
    # In reverse, so that the first of equal ones stays.
    fits = {(p.model, p.smape, p.is_blend and p.settings): p for p in reversed(near)}
    return [point for point in near if point in fits.values()]


def draw_cost(points: list[Point], path: Path) -> None:
    """Draw SMAPE against seconds: the models, and a line through the blends of all settings."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - see above
    from matplotlib.ticker import FixedLocator, NullLocator  # noqa: PLC0415 - see above

    style = {"svg.hashsalt": COST, "svg.fonttype": "none"}
    with plt.style.context(["seaborn-v0_8-whitegrid", style]):
        figure, axis = plt.subplots(figsize=(7.5, 4.2))
        models = [point for point in points if not point.is_blend]
        blends = sorted(
            (point for point in points if point.is_blend), key=lambda point: point.seconds
        )
        for settings, colour in (("quick", "#55a868"), ("default", "#4c72b0"), ("best", "#c44e52")):
            shown = [point for point in models if point.settings == settings]
            axis.plot(
                *_coordinates(shown), "o", color=colour, alpha=0.6, label=f"models, {settings}"
            )
            for point, text in _labels(shown):
                _label(axis, point, text, (5, 4))
        axis.plot(*_coordinates(blends), "D-", color="black", label="blends")
        for point in blends:
            _label(axis, point, f"blend, {point.settings}", BLEND_LABELS[point.settings])
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator(list(TIMES)))
        axis.set_xticklabels(list(TIMES.values()))
        axis.xaxis.set_minor_locator(NullLocator())
        seconds = [point.seconds for point in points]
        axis.set_xlim(min(seconds) / 1.5, max(seconds) * 1.9)
        axis.set_xlabel("from the CSV files to the prices, two threads")
        axis.set_ylabel("SMAPE, %")
        axis.legend(loc="upper right", frameon=True)
        figure.tight_layout()
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        plt.close(figure)


def _coordinates(points: list[Point]) -> tuple[list[float], list[float]]:
    return [point.seconds for point in points], [point.smape for point in points]


def _labels(points: list[Point]) -> Iterator[tuple[Point, str]]:
    """Yield the names of points, those of points at the same place together."""
    by_place: dict[tuple[float, int], list[Point]] = {}
    for point in points:
        by_place.setdefault((point.smape, round(10 * math.log(point.seconds))), []).append(point)
    for together in by_place.values():
        yield together[-1], ", ".join(point.model for point in together)


def _label(axis: "Axes", point: Point, text: str, offset: tuple[int, int]) -> None:
    axis.annotate(
        text,
        (point.seconds, point.smape),
        xytext=offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        fontsize=8,
        color="black" if point.is_blend else "#555555",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write docs/pictures/cost.svg."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    draw_cost(read_points(Path()), PICTURE)
    print(PICTURE)


if __name__ == "__main__":
    run(main)
