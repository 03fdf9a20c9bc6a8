"""Run one recipe: python -m peer_recipes NAME JOB OUT.

JOB is a JSON file with texts, prices, folds, seed, threads and seconds; OUT becomes a JSON list of
out-of-fold prices.
"""

import argparse
import importlib
import json
from pathlib import Path

import numpy as np

from peer_recipes import NAMES
from peer_recipes.recipe import Options, Recipe, out_of_fold


def main() -> None:
    """Read the job, write the prices."""
    parser = argparse.ArgumentParser(prog="python -m peer_recipes", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("job", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    recipe: Recipe = importlib.import_module(f"peer_recipes.{arguments.name}").RECIPE
    job = json.loads(arguments.job.read_text())
    options = Options(job["seed"], job["threads"], job["seconds"])
    prices, folds = np.array(job["prices"]), np.array(job["folds"])
    predicted = out_of_fold(recipe, job["texts"], prices, folds, options)
    arguments.out.write_text(json.dumps(predicted.tolist()))


if __name__ == "__main__":
    main()
