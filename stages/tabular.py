"""Parse the catalogue text into the tabular block."""

from amlc import layout, params
from amlc.catalog.products import TEXT, read_products, train_rows
from amlc.errors import run
from amlc.features.tabular import TabularFeatures, TabularSettings
from amlc.files import write_frame


def main() -> None:
    """Fit on the train rows, transform all rows."""
    settings = params.load(TabularSettings, "tabular")
    products = read_products(layout.PRODUCTS, ["split", TEXT])
    texts = products[TEXT].to_numpy()
    features = TabularFeatures(settings).fit(texts[train_rows(products)])
    block = features.transform(texts)
    write_frame(layout.TABULAR, block.frame())
    features.save(layout.ENCODERS / "tabular.json")
    brands = len(features.brands.prefixes)
    print(f"tabular: {block.shape[0]} rows, {block.shape[1]} columns, {brands} leading words")


if __name__ == "__main__":
    run(main)
