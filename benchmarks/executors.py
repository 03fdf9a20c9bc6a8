"""What other executors cost against threads.

`python benchmarks/executors.py --work /tmp/executors` runs all stages over one synthetic catalogue
without pictures, once with each executor: every stage in turn with one after the other, so that
other programs slow all of them alike. What they wrote is compared byte by byte. What was measured
is kept in the working folder, so that a run that was interrupted goes on where it stopped. `--set`
changes settings, as in benchmarks/scale.py.
"""

import argparse
import filecmp
from collections.abc import Sequence
from pathlib import Path

# isort: off
import checkout
import stages  # noqa: F401 - chooses kernels, as for workers, before NumPy is imported

# isort: on
from executor_choice import THREADS, changes_of
from scale import Cost, measure, prepare_folder, steps
from setting_changes import parse_changes
from tqdm import tqdm

from amlc import layout
from amlc.errors import CheckError, run

# What the stages write, apart from the store and what is measured here.
WRITTEN = ("data", "metrics")


def compare(work: Path, executors: Sequence[str], rows: int, options: list[str]) -> list[Cost]:
    """Run all stages with each executor in a folder of its own, and return the costs."""
    changes = {
        name: [*options, *(f"executor.{key}={value}" for key, value in changes_of(name).items())]
        for name in executors
    }
    first = work / _folder(executors[0]) / str(rows)
    models = prepare_folder(first, rows, parse_changes(options))
    costs: list[Cost] = []
    for step in tqdm(steps(models), desc=f"{rows:,} rows", unit="stage", disable=None):
        for name in executors:
            (cost,) = measure(work / _folder(name), rows, [step], changes[name], again=False)
            if cost.settings != tuple(changes[name]):
                raise CheckError(
                    f"{work}: {step}: was measured with other settings, "
                    f"{', '.join(cost.settings)}; name a new folder"
                )
            costs.append(cost)
    return costs


def differing(first: Path, second: Path) -> list[str]:
    """Return the files that differ between two folders, or that only one of them has.

    Raises
    ------
    CheckError
        There is no file to compare.
    """
    names = {
        path.relative_to(folder)
        for folder in (first, second)
        for part in WRITTEN
        for path in (folder / part).rglob("*")
        if path.is_file()
    }
    if not names:
        raise CheckError(f"{first}: the stages have written nothing")
    return sorted(
        str(name)
        for name in names
        if not (first / name).is_file()
        or not (second / name).is_file()
        or not filecmp.cmp(first / name, second / name, shallow=False)
    )


def table(costs: list[Cost], executors: Sequence[str]) -> str:
    """Return a Markdown table of seconds and processor seconds by stage and executor.

    Parameters
    ----------
    costs : list of Cost
        Stage by stage, each with all executors in their order.
    executors : sequence of str
        The first is what the others are compared to.
    """
    header = ["stage", *(f"s, {name}" for name in executors)]
    header += [f"CPU s, {name}" for name in executors] + [f"{name}: time" for name in executors[1:]]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    width = len(executors)
    groups = [costs[start : start + width] for start in range(0, len(costs), width)]
    seconds = [[cost.seconds for cost in group] for group in groups]
    cpu_seconds = [[cost.cpu_seconds for cost in group] for group in groups]
    names = [group[0].stage for group in groups]
    by_stage = list(zip(names, seconds, cpu_seconds, strict=True))
    for name, passed, spent in [*by_stage, ("all", _totals(seconds), _totals(cpu_seconds))]:
        cells = [name, *(f"{number:,.1f}" for number in (*passed, *spent))]
        cells += [f"{other / passed[0] - 1:+.0%}" for other in passed[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _totals(numbers: list[list[float]]) -> list[float]:
    return [sum(column) for column in zip(*numbers, strict=True)]


def _folder(executor: str) -> str:
    return executor.replace(":", "-").replace("/", "")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=75_000)
    parser.add_argument("--executors", nargs="+", default=[THREADS, "local:2"])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--work", type=Path, default=checkout.ROOT / layout.DATA / "executors")
    return parser.parse_args()


def main() -> None:
    """Run, print the table, and fail where bytes differ."""
    arguments = _arguments()
    names = arguments.executors
    costs = compare(arguments.work, names, arguments.rows, arguments.changes)
    print(f"## {arguments.rows:,} rows, all stages without pictures, {', '.join(names)}\n")
    print(table(costs, names))
    if arguments.changes:
        print(f"\nSettings that differ from params.yaml: {', '.join(arguments.changes)}")
    folders = [arguments.work / _folder(name) / str(arguments.rows) for name in names]
    for folder in folders[1:]:
        if found := differing(folders[0], folder):
            raise CheckError(f"{folder}: differs from {folders[0]}: {', '.join(found)}")
    print("\nAll files that the stages wrote have the same bytes.")


if __name__ == "__main__":
    run(main)
