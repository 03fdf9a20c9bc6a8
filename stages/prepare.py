"""Check train.csv and test.csv; write the product table with its groups and folds."""

from amlc import layout, params
from amlc.catalog.intake import DataSettings, data_metrics, read_catalogue, write_rejected
from amlc.catalog.products import write_products
from amlc.catalog.splits import add_groups_and_folds
from amlc.errors import run
from amlc.files import write_json


def main() -> None:
    """Read the catalogue and add groups and folds; write nothing before all of it has succeeded."""
    settings = params.load(DataSettings, "data")
    catalogue = read_catalogue(settings)
    products = add_groups_and_folds(catalogue.products, settings.folds, params.seed())
    metrics = data_metrics(catalogue, products)
    write_products(layout.PRODUCTS, products)
    write_rejected(layout.REJECTED, catalogue)
    write_json(layout.DATA_METRICS, metrics)
    train, test, groups = metrics["train"], metrics["test"], metrics["groups"]
    print(
        f"prepare: {settings.dir}: {train['kept']:,} train rows ({train['rejected']:,} rejected), "
        f"{test['rows']:,} test rows ({test['flagged']:,} flagged), {groups['count']:,} groups, "
        f"the largest has {groups['largest']:,} rows"
    )
    if train["rejected"] or test["flagged"]:
        print(f"prepare: {layout.REJECTED} lists each row with its reason")


if __name__ == "__main__":
    run(main)
