"""Draw the documentation's pictures of records: `python -m tools.charts`.

The same record and the same Matplotlib give the same bytes.
"""

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
    """Return the points of the record, without models that are far behind."""
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
    return [point for point in points if point.smape <= best + WINDOW]


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
            for point in shown:
                _label(axis, point, point.model, above=True)
        axis.plot(*_coordinates(blends), "D-", color="black", label="blends")
        for point in blends:
            _label(axis, point, f"blend, {point.settings}", above=False)
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


def _label(axis: "Axes", point: Point, text: str, *, above: bool) -> None:
    axis.annotate(
        text,
        (point.seconds, point.smape),
        xytext=(5, 4 if above else -11),
        textcoords="offset points",
        fontsize=8,
        color="#555555" if above else "black",
    )


def main() -> None:
    """Write docs/pictures/cost.svg."""
    draw_cost(read_points(Path()), PICTURE)
    print(PICTURE)


if __name__ == "__main__":
    run(main)
