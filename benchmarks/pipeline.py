"""The stages of dvc.yaml in a new folder, without DVC.

    python benchmarks/pipeline.py NEW --set data.dir=/path/to/csv --set images.mirror=/path

The folder gets a copy of this repository's code, and of params.yaml with the settings of the
command line, each written as for `dvc exp run -S`; `--preset` sets the lines of a preset. The
stages that `--until` needs run in the order of dvc.yaml, each in a process of its own. What they
cost is kept in costs.json; a stage that is in it does not run again in the same folder.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from checkout import ROOT
from setting_changes import changed, parse_changes

from amlc import layout, params
from amlc.errors import CheckError, ParamsError, run
from amlc.files import write_json

# What a copy needs to run the stages.
CODE = ("amlc", "stages", "dvc.yaml", "params.yaml", ".dvcignore")
OUTPUTS = ("outs", "metrics", "plots")
# It lists code for DVC, which does not run here.
UNUSED = "code"
MEASURED = ROOT / "benchmarks/measured.py"
COSTS = "costs.json"


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds, peak memory in MB, and CPU seconds; NaN where not measured."""

    seconds: float = float("nan")
    megabytes: float = float("nan")
    cpu_seconds: float = float("nan")

    def plus(self, other: "Cost") -> "Cost":
        """Return the cost of both, run one after the other."""
        return Cost(
            self.seconds + other.seconds,
            max(self.megabytes, other.megabytes),
            self.cpu_seconds + other.cpu_seconds,
        )

    def measured(self) -> dict[str, float]:
        """Return the numbers that were measured, by name."""
        return {name: number for name, number in vars(self).items() if not math.isnan(number)}


@dataclass(frozen=True)
class Step:
    """A stage, or one model's instance of it: its name, its command, and the steps before it."""

    name: str
    command: tuple[str, ...]
    needs: frozenset[str]


def copy_code(folder: Path, settings: dict[str, Any]) -> None:
    """Fill a folder with this repository's code, and params.yaml with these settings.

    A folder that was filled before stays as it is, so that an interrupted benchmark goes on.

    Raises
    ------
    ParamsError
        It was filled with other settings.
    """
    path = folder / params.PATH
    if path.exists():
        if params.read(path) != settings:
            raise ParamsError(f"{path}: has other settings; name a new folder")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)
    (folder / "metrics").mkdir()
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def preset(name: str) -> list[str]:
    """Return the settings of a preset; `default` has none.

    Raises
    ------
    ParamsError
        There is no such preset.
    """
    if name == "default":
        return []
    path = ROOT / "presets" / f"{name}.txt"
    if not path.is_file():
        known = sorted(other.stem for other in path.parent.glob("*.txt"))
        raise ParamsError(f"no preset {name}; known: default, {', '.join(known)}")
    return [line for line in path.read_text().splitlines() if line[:1].isalpha()]


def steps(folder: Path, *targets: str) -> list[Step]:
    """Return the steps that some stages need, these included, each after those that it needs.

    Raises
    ------
    ParamsError
        There is no such stage.
    """
    folder_of_data = str(params.value("data.dir", folder / params.PATH))
    text = (folder / "dvc.yaml").read_text(encoding="utf-8")
    definitions = yaml.safe_load(text.replace("${data.dir}", folder_of_data))["stages"]
    stages = dict(_instances(definitions, params.value("models", folder / params.PATH)))
    needs = {
        name: frozenset(
            other for other, made in stages.items() if other != name and _reads(stage, made)
        )
        for name, stage in stages.items()
    }
    ordered: dict[str, Step] = {}

    def visit(name: str) -> None:
        if name not in ordered:
            for other in sorted(needs[name], key=list(stages).index):
                visit(other)
            ordered[name] = Step(name, tuple(stages[name]["cmd"].split()), needs[name])

    unknown = sorted(set(targets) - definitions.keys())
    if unknown:
        raise ParamsError(f"no stage {', '.join(unknown)} in dvc.yaml: {', '.join(definitions)}")
    for name in stages:
        if name.partition("@")[0] in targets:
            visit(name)
    return list(ordered.values())


def _instances(
    definitions: dict[str, Any], models: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each stage, and one for each model where a stage has one for each."""
    for name, stage in definitions.items():
        if name == UNUSED:
            continue
        if "foreach" not in stage:
            yield name, stage
            continue
        for model in models:
            text = json.dumps(stage["do"]).replace("${item}", model)
            yield f"{name}@{model}", json.loads(text)


def _reads(stage: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a stage reads what another one writes, or a part of it, or a folder around it."""
    made = [path for kind in OUTPUTS for path in _paths(other, kind)]
    return any(
        one == path or one in path.parents or path in one.parents
        for one in _paths(stage, "deps")
        for path in made
    )


def _paths(stage: dict[str, Any], key: str) -> list[Path]:
    entries = stage.get(key, [])
    return [Path(entry if isinstance(entry, str) else next(iter(entry))) for entry in entries]


def reproduce(folder: Path, *targets: str, jobs: int = 1) -> dict[str, Cost]:
    """Run the steps that some stages need and return their costs by name.

    Parameters
    ----------
    folder : Path
        A copy, after `copy_code`.
    *targets : str
        The last stages.
    jobs : int
        How many steps run at a time, each with the threads of params.yaml.

    Raises
    ------
    CheckError
        A step failed.
    """
    kept = folder / COSTS
    before = json.loads(kept.read_text()) if kept.exists() else {}
    costs = {name: Cost(**cost) for name, cost in before.items()}
    ordered = steps(folder, *targets)
    waiting = {step.name: step for step in ordered if step.name not in costs}
    running: dict[Future[Cost], str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while waiting or running:
                for step in [step for step in waiting.values() if step.needs <= costs.keys()]:
                    running[pool.submit(_run_step, folder, step)] = waiting.pop(step.name).name
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                costs |= {running.pop(future): future.result() for future in done}
                write_json(kept, {name: cost.measured() for name, cost in costs.items()})
        finally:
            pool.shutdown(cancel_futures=True)
    return {step.name: costs[step.name] for step in ordered}


def _run_step(folder: Path, step: Step) -> Cost:
    if step.command[:2] != ("python", "-m"):
        raise CheckError(f"{step.name}: expected a command python -m ..., got {step.command}")
    variables = {"PYTHONPATH": str(folder.resolve())}
    cost = measure(sys.executable, list(step.command[2:]), folder, variables)
    print(f"{folder.name}: {step.name}: {cost.seconds:.0f} s", file=sys.stderr, flush=True)
    return cost


def measure(python: str, command: list[str], folder: Path, variables: dict[str, str]) -> Cost:
    """Run a module in a folder, in a process of its own, and return its cost.

    Parameters
    ----------
    python : str
        The interpreter.
    command : list of str
        The module and its arguments.
    folder : Path
        The current folder of the process.
    variables : dict of str to str
        Environment variables beside those of this process.

    Raises
    ------
    CheckError
        The module failed; the message has the end of what it wrote.
    """
    out = folder.resolve() / f"cost-{'-'.join(command[:2]).replace(os.sep, '-')}.json"
    done = subprocess.run(
        [python, str(MEASURED), str(out), *command],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CheckError(f"{' '.join(command)} failed in {folder}:\n{done.stderr[-3000:]}")
    cost = json.loads(out.read_text())
    out.unlink()
    return Cost(cost["seconds"], cost["megabytes"], cost["cpu_seconds"])


def absolute(settings: dict[str, Any], root: Path, *, synthetic: bool = False) -> dict[str, Any]:
    """Return settings whose folders of data and pictures do not depend on the current folder.

    Those of the synthetic catalogue stay as they are, because a stage writes them, unless
    `synthetic` says that they are read.
    """
    result: dict[str, Any] = json.loads(json.dumps(settings))
    written = set() if synthetic else {layout.SYNTHETIC, layout.SYNTHETIC_IMAGES}
    for section, key in (("data", "dir"), ("images", "mirror")):
        path = result[section][key]
        if path and Path(path) not in written:
            result[section][key] = str((root / path).resolve())
    return result


def pictures_of(folder: Path) -> Path | None:
    """Return the folder of pictures that belongs to one of CSV files, if there is one."""
    names = [folder / "images"]
    if folder.resolve().name == layout.SYNTHETIC.name:
        names.append(folder.resolve().with_name(layout.SYNTHETIC_IMAGES.name))
    return next((name.resolve() for name in names if name.is_dir()), None)


def main() -> None:
    """Copy, set, run; print what each stage cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a new folder, or one of this command")
    parser.add_argument("--preset", default="default", help="default, or a name in presets/")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--map", type=Path, help="a file that `amlc columns` printed")
    parser.add_argument("--until", nargs="+", default=["predict"], help="the last stages")
    parser.add_argument("--jobs", type=int, default=1, help="stages at a time")
    arguments = parser.parse_args()
    settings = params.read(ROOT / params.PATH)
    if arguments.map is not None:
        settings["data"] |= yaml.safe_load(arguments.map.read_text())["data"]
    lines = [*preset(arguments.preset), *arguments.set]
    settings = changed(settings, parse_changes(lines))
    copy_code(arguments.folder, absolute(settings, Path()))
    costs = reproduce(arguments.folder, *arguments.until, jobs=arguments.jobs)
    for name, cost in costs.items():
        numbers = f"{cost.seconds:>8.1f} s{cost.cpu_seconds:>8.1f} CPU s{cost.megabytes:>8.0f} MB"
        print(f"{name:<20}{numbers}")


if __name__ == "__main__":
    run(main)
