"""Keep measurements in benchmarks/results, for the documentation to show.

    python -m tools.record run --from RUN                             a run on real products
    python -m tools.record tables peers -- python benchmarks/peers.py --data RUN

The second form runs a benchmark, shows what it prints, and keeps the tables. A record names the
commit of the code that was measured.
"""

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amlc import layout, params
from amlc.errors import CheckError, DataError, run
from amlc.files import read_json, write_json

# Git keeps this folder, because `dvc repro` does not write it.
RESULTS = Path("benchmarks/results")
REAL = RESULTS / "real.json"
TABLES = (
    *("cost", "costco", "download", "executors", "extrapolation", "features"),
    *(
        "features_network",
        "fresh_basket",
        "held_out",
        "killed_workers",
        "learning_curve",
        "losses",
        "peers",
        "serve",
        "scale",
    ),
    *("scale_simulation", "scheduler_memory"),
)
# A run changes params.yaml and metrics/; what was measured is the code.
CODE = ("amlc", "stages", "benchmarks", f":!{RESULTS}")


def commit_of(root: Path) -> str:
    """Return the commit that is checked out, with ``-dirty`` where its code was changed."""
    commit = _git(root, "rev-parse", "--short=7", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *CODE)
    return f"{commit}-dirty" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - the arguments are ours
    if done.returncode:
        raise DataError(f"{root}: cannot tell the commit: {done.stderr.strip()}")
    return done.stdout.strip()


def record_run(source: Path, commit: str) -> dict[str, Any]:
    """Return scores, weights, guards and counts of a finished run.

    Parameters
    ----------
    source : Path
        The root of a repository whose pipeline ran on real products.
    commit : str
        The commit of its code.

    Raises
    ------
    DataError
        The pipeline ran on the synthetic catalogue, or a metrics file is missing.
    ParamsError
        There is no params.yaml.
    """
    folder = params.value("data.dir", source / "params.yaml")
    if folder == str(layout.SYNTHETIC):
        raise DataError(f"{source}: its data.dir is {folder}: expected a run on real products")
    scores = read_json(source / layout.SCORES)
    details = read_json(source / layout.SCORE_DETAILS)
    images = read_json(source / layout.IMAGE_METRICS)
    return {
        "commit": commit,
        "data": read_json(source / layout.DATA_METRICS),
        "images": {"links": images["links"], "ok": images["ok"]},
        "blend": {key: scores[key] for key in ("smape", "smape_se", "smape_low", "smape_high")},
        "models": details["models"],
        "interval": details["interval"],
        "guards": read_json(source / layout.GUARD_METRICS),
    }


def tables(text: str) -> list[dict[str, Any]]:
    """Return the Markdown tables in a text.

    Parameters
    ----------
    text : str
        What a benchmark printed.

    Returns
    -------
    list of dict
        ``title``: the last line before the table, without the marks of a heading; ``lines``: the
        table's lines as they are.
    """
    result: list[dict[str, Any]] = []
    title = ""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            title, lines = line.lstrip("# ").strip() or title, []
            continue
        if not lines:
            result.append({"title": title, "lines": lines})
        lines.append(line)
    return result


def record_tables(command: Sequence[str], commit: str) -> dict[str, Any]:
    """Run a benchmark, print what it prints, and return its tables.

    Raises
    ------
    CheckError
        The benchmark failed.
    DataError
        It printed no table.
    """
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - the user's own command
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise CheckError(f"{' '.join(command)} ended with status {process.returncode}")
    printed = tables("".join(lines))
    if not printed:
        raise DataError(f"{' '.join(command)} printed no table")
    return {"commit": commit, "tables": printed}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one record."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.record",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="form", required=True)
    run_parser = commands.add_parser("run", help="keep the scores of a run on real products")
    run_parser.add_argument(
        "--from", dest="source", type=Path, default=Path(), help="root of the run"
    )
    tables_parser = commands.add_parser("tables", help="run a benchmark and keep its tables")
    tables_parser.add_argument("name", choices=TABLES)
    tables_parser.add_argument("command", nargs="+", help="the benchmark's command, after --")
    options = parser.parse_args(arguments)
    if options.form == "run":
        path, content = REAL, record_run(options.source, commit_of(options.source))
    else:
        path = RESULTS / f"{options.name}.json"
        content = record_tables(options.command, commit_of(Path()))
    write_json(path, content)
    print(f"{path}: of commit {content['commit']}; run make docs to show it in the documentation")


if __name__ == "__main__":
    run(main)
