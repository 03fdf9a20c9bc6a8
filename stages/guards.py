"""Check for leaks of prices into the features, and for drift between train and test."""

from amlc import layout, params
from amlc.catalog.products import PRICE, read_products
from amlc.errors import run
from amlc.evaluation.guards import GuardSettings, check_guards
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.blocks import Blocks


def main() -> None:
    """Write metrics/guards.json; stop if a feature is derived from the price."""
    settings = params.load(GuardSettings, "guards")
    products = read_products(layout.PRODUCTS, [PRICE, "split", "group", "fold"])
    blocks = Blocks.read(layout.FEATURES, ["tabular", "topics", "vision", "neighbours"])
    numbers = {"seed": params.seed(), "threads": params.threads()}
    with open_backend(params.load(ExecutorSettings, "executor")) as backend:
        guards = check_guards(blocks, products, settings, **numbers, backend=backend)
    guards.write(layout.GUARD_METRICS)
    print(f"guards: {guards}")


if __name__ == "__main__":
    run(main)
