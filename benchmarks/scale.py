"""Cost of each stage as the catalogue grows: time, memory, disk, and the exponent of growth.

`python benchmarks/scale.py --rows 10000 75000 --work /tmp/scale` makes a synthetic catalogue of
each size without pictures, four fifths of it train rows, and runs the stages one by one, each in a
process of its own. What was measured is kept in the working folder, so that a run that was
interrupted goes on where it stopped; `--table` only prints what is there, `--picture` draws it.

CPU seconds include those of all threads; they, and not the time that passed, are compared, because
other programs may run on the machine. The exponent is the slope of log cost over log rows between
the two largest sizes: 1 means twice the rows, twice the cost. `--set` changes settings, such as
`--set train.mlp.networks=1` where a model would take too long; the table says which.
"""

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import checkout
import yaml
from picture_path import picture_path
from setting_changes import changed, parse_changes
from tqdm import tqdm

from amlc import layout, params
from amlc.errors import DataError, ParamsError, run
from amlc.files import read_json, replacing, write_json, write_text
from amlc.models import timings
from amlc.models.predictions import PREDICTIONS

WORK = checkout.ROOT / layout.DATA / "scale"
# In the order of dvc.yaml; `train` stands for one step for each model.
STAGES = (
    *("synthetic", "prepare", "images", "tabular", "terms", "topics", "neighbours", "vision"),
    *("encode", "inputs", "train", "blend", "guards", "evaluate", "predict"),
    *("train_products", "bundle", "report"),
)
# The ticks of a picture, as far as they are in its range.
TICKS = tuple(factor * 10.0**power for power in range(-2, 6) for factor in (1, 2, 5))
# A catalogue without pictures: these stages have one row per product, but nothing to look at.
WITHOUT_PICTURES = {
    "synthetic.images": False,
    "synthetic.repeated_links": 0.0,
    "data.columns.image": None,
}
TRAIN_SHARE = 0.8
# The row of a table with the costs of all stages together.
ALL = "all"
# Stages in the picture: as many as there are colours.
DRAWN = 10
# Below this a stage mostly starts and imports libraries, and growth cannot be told.
SMALLEST_SECONDS = 2.0


@dataclass(frozen=True)
class Cost:
    """What one stage took at one size.

    Parameters
    ----------
    stage : str
        Its name, for a model ``train.MODEL``.
    rows : int
        Products of the catalogue.
    seconds, cpu_seconds : float
        Time that passed, and processor time of all threads.
    megabytes, private_megabytes : float
        Largest memory of the process; the same without mapped files.
    disk : int
        Bytes of what the stage wrote.
    pieces_seconds : float
        Of `seconds`, those in which the fits of a model were computed; 0 for other stages.
    settings : tuple of str
        Settings that differ from params.yaml, as on the command line.
    """

    stage: str
    rows: int
    seconds: float
    cpu_seconds: float
    megabytes: float
    private_megabytes: float
    disk: int
    pieces_seconds: float
    settings: tuple[str, ...]


def steps(models: Iterable[str], chosen: Iterable[str] = STAGES) -> list[str]:
    """Return the chosen stages in order, `train` once for each model.

    Raises
    ------
    ParamsError
        There is no such stage.
    """
    wanted = set(chosen)
    fits = [f"train.{name}" for name in models]
    if unknown := sorted(wanted - {*STAGES, *fits}):
        known = ", ".join([*STAGES, *fits])
        raise ParamsError(f"--stages: no stage {', '.join(unknown)}; stages: {known}")
    return [
        step
        for stage in STAGES
        for step in (fits if stage == "train" else [stage])
        if stage in wanted or step in wanted
    ]


def prepare_folder(folder: Path, rows: int, changes: dict[str, Any]) -> list[str]:
    """Write the settings for one size into its folder, and return its models."""
    settings = params.read(checkout.ROOT / "params.yaml")
    train = round(rows * TRAIN_SHARE)
    sizes = {"synthetic.rows": train, "synthetic.test_rows": rows - train}
    settings = changed(settings, {**WITHOUT_PICTURES, **sizes, **changes})
    write_text(folder / "params.yaml", yaml.safe_dump(settings, sort_keys=False))
    return [str(name) for name in settings["models"]]


def run_step(step: str, folder: Path, rows: int, settings: tuple[str, ...]) -> Cost:
    """Run one stage in a process of its own, and return what it took.

    Raises
    ------
    DataError
        The stage failed; its output is shown above.
    """
    stage, _, model = step.partition(".")
    # The stage runs in the folder.
    out = folder.resolve() / "cost.json"
    command = [sys.executable, str(checkout.ROOT / "benchmarks/measured.py"), str(out)]
    command += [f"stages.{stage}", *([model] if model else [])]
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout.ROOT),
        "AMLC_STORE": str((folder / "store").resolve()),
    }
    done = subprocess.run(command, cwd=folder, env=environment, check=False)
    if done.returncode:
        raise DataError(f"{step} at {rows:,} rows: ended with code {done.returncode}")
    cost = read_json(out)
    return Cost(
        step,
        rows,
        cost["seconds"],
        cost["cpu_seconds"],
        cost["megabytes"],
        cost["private_megabytes"],
        size_on_disk(folder, stage, model),
        fitting_seconds(folder, model) if model else 0.0,
        settings,
    )


def fitting_seconds(folder: Path, model: str) -> float:
    """Return the time of a model's fits, which the stage keeps in the store."""
    digest = timings.md5(folder / layout.MODELS / model / PREDICTIONS)
    return float(read_json(folder / "store" / "timings" / f"{digest}.json")["seconds"])


def size_on_disk(folder: Path, stage: str, model: str) -> int:
    """Return the bytes of a stage's outputs, as dvc.yaml lists them."""
    content = yaml.safe_load((checkout.ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    definition = content["stages"][stage].get("do") or content["stages"][stage]
    total = 0
    for entry in definition.get("outs", []):
        name = str(entry if isinstance(entry, str) else next(iter(entry)))
        path = folder / name.replace("${item}", model)
        files = [path] if path.is_file() else path.rglob("*")
        total += sum(file.stat().st_size for file in files if file.is_file())
    return total


def measure(
    work: Path, rows: int, chosen: list[str], changes: list[str], *, again: bool
) -> Iterator[Cost]:
    """Yield the cost of each step at one size; what was measured before is not run again."""
    folder = work / str(rows)
    models = prepare_folder(folder, rows, parse_changes(changes))
    todo = steps(models, chosen)
    with tqdm(todo, desc=f"{rows:,} rows", unit="stage", disable=None) as bar:
        for step in bar:
            kept = folder / "measured" / f"{step}.json"
            if again or not kept.is_file():
                bar.set_postfix_str(step)
                cost = run_step(step, folder, rows, tuple(changes))
                write_json(kept, asdict(cost))
                yield cost
            else:
                yield read_cost(kept)


def read_cost(path: Path) -> Cost:
    """Read what `measure` kept of one step.

    Raises
    ------
    DataError
        Another version of this script wrote it.
    """
    content = read_json(path)
    expected = {field.name for field in fields(Cost)}
    if not isinstance(content, dict) or content.keys() != expected:
        raise DataError(f"{path}: another version measured it: remove it and measure again")
    return Cost(**{**content, "settings": tuple(content["settings"])})


def read_costs(work: Path) -> list[Cost]:
    """Return all that was measured in a working folder, by size and in the order of stages."""
    costs = [read_cost(path) for path in work.glob("*/measured/*.json")]
    order = {name: number for number, name in enumerate(STAGES)}
    return sorted(costs, key=lambda cost: (cost.rows, order[cost.stage.partition(".")[0]]))


def exponent(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Return the slope of log cost over log rows of two points (rows, cost).

    Examples
    --------
    >>> exponent((10, 3), (100, 300))
    2.0
    """
    rows, cost = (math.log(large[axis] / small[axis]) for axis in (0, 1))
    return cost / rows


def growth(costs: list[Cost], attribute: str, smallest: float) -> float | None:
    """Return the exponent of one stage between its two largest sizes, if it can be told."""
    points = [
        (float(cost.rows), float(getattr(cost, attribute)))
        for cost in sorted(costs, key=lambda cost: cost.rows)
        if getattr(cost, attribute) >= smallest
    ]
    return exponent(*points[-2:]) if len(points) > 1 else None


def together(costs: list[Cost], rows: int) -> Cost:
    """Return what all stages took at one size: the sum of times and disk, the largest memory."""
    chosen = [cost for cost in costs if cost.rows == rows]
    sums = {
        name: sum(getattr(cost, name) for cost in chosen)
        for name in ("seconds", "cpu_seconds", "disk", "pieces_seconds")
    }
    peaks = {
        name: max(getattr(cost, name) for cost in chosen)
        for name in ("megabytes", "private_megabytes")
    }
    return Cost(stage=ALL, rows=rows, settings=(), **sums, **peaks)


def table(costs: list[Cost]) -> str:
    """Return a Markdown table: for each stage, and all, the costs by size and how they grow."""
    sizes = sorted({cost.rows for cost in costs})
    header = ["stage", *(f"CPU s, {size:,}" for size in sizes), "exponent"]
    header += [*(f"peak MB, {size:,}" for size in sizes), f"MB on disk, {sizes[-1]:,}"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    totals = [together(costs, rows) for rows in sizes]
    for stage in [*dict.fromkeys(cost.stage for cost in costs), ALL]:
        by_rows = {cost.rows: cost for cost in [*costs, *totals] if cost.stage == stage}
        slope = growth(list(by_rows.values()), "cpu_seconds", SMALLEST_SECONDS)
        cells = [stage, *(_cell(by_rows.get(size), "cpu_seconds") for size in sizes)]
        cells += ["" if slope is None else f"{slope:.2f}"]
        cells += [_cell(by_rows.get(size), "megabytes") for size in sizes]
        last = by_rows.get(sizes[-1])
        cells += ["" if last is None else f"{last.disk / 1e6:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def notes(costs: list[Cost]) -> list[str]:
    """Return a line for each size at which settings differ from params.yaml."""
    by_settings: dict[tuple[int, tuple[str, ...]], list[str]] = {}
    for cost in costs:
        if cost.settings:
            by_settings.setdefault((cost.rows, cost.settings), []).append(cost.stage)
    return [
        f"{rows:,} rows, {', '.join(stages)}: measured with {', '.join(settings)}"
        for (rows, settings), stages in by_settings.items()
    ]


def _cell(cost: Cost | None, attribute: str) -> str:
    return "" if cost is None else f"{getattr(cost, attribute):,.0f}"


def draw(path: Path, costs: list[Cost]) -> None:
    """Draw processor time and memory of the costliest stages over the number of rows."""
    # Slow to import, and needed only for a picture.
    import matplotlib as mpl  # noqa: PLC0415 - see above

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - see above

    plt.style.use("seaborn-v0_8-whitegrid")
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharex=True)
    largest = max(cost.rows for cost in costs)
    by_cost = sorted(costs, key=lambda cost: (-cost.rows, -cost.cpu_seconds))
    stages = list(dict.fromkeys(cost.stage for cost in by_cost))[:DRAWN]
    for number, stage in enumerate(stages):
        points = [cost for cost in costs if cost.stage == stage]
        rows = [cost.rows for cost in points]
        style = {"marker": "os^Dv"[number % 5], "ms": 4, "label": stage, "lw": 1.2}
        axes[0].plot(rows, [cost.cpu_seconds for cost in points], **style)
        axes[1].plot(rows, [cost.megabytes / 1000 for cost in points], **style)
    for axis, title in zip(axes, ("CPU seconds", "peak memory, GB"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="products", title=title)
        for side in (axis.xaxis, axis.yaxis):
            side.set_minor_formatter("")
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.yaxis.set_major_formatter("{x:,g}")
        axis.set_yticks(
            [tick for tick in TICKS if axis.get_ylim()[0] <= tick <= axis.get_ylim()[1]]
        )
    smallest = min(cost.rows for cost in costs)
    axes[0].plot(
        [smallest, largest], [10, 10 * largest / smallest], color="black", ls=":", label="linear"
    )
    axes[0].legend(fontsize=7, ncols=2)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format=path.suffix.removeprefix(".") or "png")
    plt.close(figure)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 75_000])
    parser.add_argument("--stages", nargs="+", default=list(STAGES), metavar="STAGE[.MODEL]")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--work", type=Path, default=WORK, help="working folder")
    parser.add_argument("--again", action="store_true", help="measure again what was measured")
    parser.add_argument("--table", action="store_true", help="only print what was measured")
    parser.add_argument("--picture", type=picture_path, help="a .png, .svg or .pdf to write")
    return parser.parse_args()


def main() -> None:
    """Measure, print and draw."""
    arguments = _arguments()
    if min(arguments.rows) < 100:
        raise ParamsError(f"--rows: expected 100 or more, got {min(arguments.rows)}")
    if not arguments.table:
        for rows in arguments.rows:
            for cost in measure(
                arguments.work,
                rows,
                arguments.stages,
                arguments.changes,
                again=arguments.again,
            ):
                print(
                    f"{cost.rows:,} rows: {cost.stage}: {cost.cpu_seconds:.1f} CPU s, "
                    f"{cost.megabytes:,.0f} MB",
                    file=sys.stderr,
                )
    costs = read_costs(arguments.work)
    if not costs:
        raise DataError(f"{arguments.work}: nothing was measured there")
    print("## Cost by the number of products, without pictures\n")
    print(table(costs))
    for note in notes(costs):
        print(f"\n{note}")
    if arguments.picture is not None:
        draw(arguments.picture, costs)


if __name__ == "__main__":
    run(main)
