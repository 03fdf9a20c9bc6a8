"""Keep the scores of a run on real products: `python -m tools.record [--without NAME]`."""

import argparse
from pathlib import Path
from typing import Any

from amlc import layout, params
from amlc.errors import DataError, run
from amlc.files import read_json, write_json

# Git keeps this one: the rebuild of the sample does not make it.
RECORD = Path("benchmarks/results/real.json")
SAMPLE = "data/synthetic"


def record(source: Path) -> dict[str, Any]:
    """Return the scores, weights and counts of the run in a folder.

    Parameters
    ----------
    source : Path
        The root of a repository whose pipeline ran on real products.

    Raises
    ------
    DataError
        The pipeline ran on the sample, or a metrics file is missing.
    ParamsError
        There is no params.yaml.
    """
    if params.value("data.dir", source / "params.yaml") == SAMPLE:
        raise DataError(f"{source}: its data.dir is {SAMPLE}: expected a run on real products")
    metrics = read_json(source / layout.SCORES)
    images = read_json(source / layout.IMAGE_METRICS)
    blend = {key: metrics[key] for key in ("smape", "smape_se", "smape_low", "smape_high")}
    return {
        "data": read_json(source / layout.DATA_METRICS),
        "images": {"links": images["links"], "ok": images["ok"]},
        "blend": blend,
        "models": read_json(source / layout.SCORE_DETAILS)["models"],
        "without": {},
    }


def with_ablation(kept: dict[str, Any], name: str, source: Path) -> dict[str, Any]:
    """Return a record with one more column: the SMAPE of a run without something.

    Raises
    ------
    DataError
        That run was on other rows, or anything that `record` raises.
    """
    run_of = record(source)
    if run_of["data"] != kept["data"]:
        raise DataError(f"{source}: its metrics/data.json is of other rows than the record's")
    scores = {model: score["smape"] for model, score in run_of["models"].items()}
    column = {"blend": run_of["blend"]["smape"], "models": scores}
    return {**kept, "without": {**kept["without"], name: column}}


def main() -> None:
    """Write the record, or add a column to it."""
    parser = argparse.ArgumentParser(prog="python -m tools.record", description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path(), help="root of the run")
    parser.add_argument("--without", metavar="NAME", help="the run is one without this")
    arguments = parser.parse_args()
    if arguments.without:
        content = with_ablation(read_json(RECORD), arguments.without, arguments.source)
    else:
        content = record(arguments.source)
    write_json(RECORD, content)
    print(f"{RECORD}: SMAPE {content['blend']['smape']:.2f}; make readme puts it into README.md")


if __name__ == "__main__":
    run(main)
