"""Parse numbers, categories and keys from the catalogue text."""

from amlc import layout, params
from amlc.catalog.products import (
    FURTHER_LINKS,
    LINK,
    TEXT,
    TRAIN,
    iter_products,
    iter_texts,
    own_columns,
    read_products,
    train_rows,
)
from amlc.errors import run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.blocks import Tabular
from amlc.features.tabular import TabularFeatures, TabularSettings


def main() -> None:
    """Fit on the train rows and transform all rows; write the block and its encoder."""
    settings = params.load(TabularSettings, "tabular")
    products = read_products(layout.PRODUCTS, without=(TEXT, LINK, FURTHER_LINKS))
    own = own_columns(products).iloc[train_rows(products)]
    features = TabularFeatures(settings).fit(iter_texts(layout.PRODUCTS, TRAIN), own)
    groups = iter_products(layout.PRODUCTS, [TEXT, *own.columns])
    parts = ((group[TEXT].to_numpy(), own_columns(group)) for group in groups)
    with open_backend(params.load(ExecutorSettings, "executor")) as backend:
        blocks = features.transform_parts(parts, backend)
        rows, columns = Tabular.write_parts(layout.TABULAR, blocks)
    features.save(layout.ENCODERS / "tabular.json")
    prefixes = len(features.brands.prefixes)
    print(f"tabular: {rows} rows, {columns} columns, {prefixes} brand prefixes")


if __name__ == "__main__":
    run(main)
