"""Parse numbers, categories and keys from the catalogue text."""

from amlc import layout, params
from amlc.catalog.products import TEXT, own_columns, read_products, train_rows
from amlc.errors import run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.tabular import TabularFeatures, TabularSettings


def main() -> None:
    """Fit on the train rows and transform all rows; write the block and its encoder."""
    settings = params.load(TabularSettings, "tabular")
    products = read_products(layout.PRODUCTS)
    texts, own = products[TEXT].to_numpy(), own_columns(products)
    train = train_rows(products)
    features = TabularFeatures(settings).fit(texts[train], own.iloc[train])
    with open_backend(params.load(ExecutorSettings, "executor")) as backend:
        block = features.transform(texts, own, backend)
    block.write(layout.TABULAR)
    features.save(layout.ENCODERS / "tabular.json")
    prefixes = len(features.brands.prefixes)
    print(f"tabular: {block.shape[0]} rows, {block.shape[1]} columns, {prefixes} brand prefixes")


if __name__ == "__main__":
    run(main)
