"""Run one recipe: python -m peer_recipes NAME JOB OUT.

JOB is a JSON file with texts, prices, folds, seed, threads and seconds; OUT becomes a JSON list of
out-of-fold prices.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np

from peer_recipes.recipe import Options, Recipe, out_of_fold


def main() -> None:
    """Read the job, write the prices."""
    name, job_path, out_path = sys.argv[1:]
    recipe: Recipe = importlib.import_module(f"peer_recipes.{name}").RECIPE
    job = json.loads(Path(job_path).read_text())
    options = Options(job["seed"], job["threads"], job["seconds"])
    prices, folds = np.array(job["prices"]), np.array(job["folds"])
    predicted = out_of_fold(recipe, job["texts"], prices, folds, options)
    Path(out_path).write_text(json.dumps(predicted.tolist()))


if __name__ == "__main__":
    main()
