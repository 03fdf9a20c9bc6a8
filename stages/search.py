"""Search for a model's settings: python -m stages.search NAME [--trials N] [--timeout SECONDS].

No stage of dvc.yaml: what it gives is the command for a better experiment.
"""

import argparse
import math
from pathlib import Path
from typing import Any

from amlc import params
from amlc.catalog.table import ID, PRICE, read_products
from amlc.errors import run
from amlc.features.blocks import read_blocks
from amlc.models.base import MODELS
from amlc.models.search import Task, search
from amlc.models.search_space import SearchSettings, model_spaces

PRODUCTS = Path("data/products.parquet")
FEATURES = Path("data/features")
STUDIES = Path("data/search")


def main() -> None:
    """Search, then print what was found and how to train with it."""
    arguments = _arguments()
    settings = params.load(SearchSettings, "search")
    task = _task(arguments.model, settings)
    best = search(task, STUDIES, arguments.trials or settings.trials, arguments.timeout)
    counts = f"{best.trials} trials, {best.pruned} given up early, {best.failed} failed"
    print(f"search: {task.model}: {best.score()}; {counts}")
    print(best.command() if best.changes else "search: params.yaml has the best settings found")


def _task(name: str, settings: SearchSettings) -> Task:
    section = params.value(f"train.{name}")
    spaces = model_spaces(settings, name, section)
    lists = spaces.get("blocks", [section["blocks"]])
    blocks: list[Any] = sorted({block for names in lists for block in names})
    return Task(
        model=name,
        section=section,
        spaces=spaces,
        blocks=read_blocks(FEATURES, blocks),
        products=read_products(PRODUCTS, [ID, PRICE, "split", "group", "fold"]),
        files=[PRODUCTS, *(path for name in blocks for path in FEATURES.glob(f"{name}.*"))],
        seed=params.seed(),
        threads=params.threads(),
        patience=settings.patience,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.search", description=__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--trials", type=int, help="in all, those of earlier runs included")
    parser.add_argument("--timeout", type=float, default=math.inf, help="seconds for new trials")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
