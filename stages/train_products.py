"""Collect the train products as a pricer shows them: titles, prices, links, small pictures."""

from amlc import layout, params
from amlc.catalog.columns import ColumnMap
from amlc.catalog.products import LINK, TRAIN, iter_products, read_products, train_rows
from amlc.errors import run
from amlc.files import replacing_folder
from amlc.images.shards import read_rows
from amlc.pricing.train_products import write_train_products


def main() -> None:
    """Write data/train_products, which becomes a part of the bundle whatever the models are."""
    columns = params.load(ColumnMap, "data.columns")
    products = read_products(layout.PRODUCTS, ["split", LINK])
    links = set(products[LINK].iloc[train_rows(products)])
    groups = (rows[rows["split"] == TRAIN] for rows in iter_products(layout.PRODUCTS))
    images, threads = read_rows(layout.IMAGES), params.threads()
    with replacing_folder(layout.TRAIN_PRODUCTS) as folder:
        written = write_train_products(folder, groups, links, images, threads, columns)
    print("train_products: {} products, {} pictures".format(*written))


if __name__ == "__main__":
    run(main)
