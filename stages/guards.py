"""Look for prices among the features, and for what tells train from test."""

from amlc import layout, params
from amlc.catalog.products import PRICE, read_products
from amlc.errors import run
from amlc.evaluation.guards import GuardSettings, check_guards
from amlc.features.blocks import read_blocks
from amlc.files import write_json


def main() -> None:
    """Write metrics/guards.json; stop where a feature is made of the price."""
    settings = params.load(GuardSettings, "guards")
    products = read_products(layout.PRODUCTS, [PRICE, "split", "group", "fold"])
    blocks = read_blocks(layout.FEATURES, ["tabular", "topics", "vision", "neighbours"])
    found = check_guards(blocks, products, settings, seed=params.seed(), threads=params.threads())
    write_json(layout.GUARD_METRICS, found.metrics())
    print(f"guards: {found}")


if __name__ == "__main__":
    run(main)
