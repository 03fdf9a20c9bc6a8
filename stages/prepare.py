"""Validate train.csv and test.csv; write the product table with its groups and folds."""

from amlc import layout, params
from amlc.catalog.intake import DataSettings, read_catalogue, summary, write_rejected
from amlc.catalog.products import write_products
from amlc.catalog.splits import with_groups_and_folds
from amlc.errors import run
from amlc.files import write_json


def main() -> None:
    """Read, group, fold; write only when all of it went well."""
    settings = params.load(DataSettings, "data")
    catalogue = read_catalogue(settings)
    products = with_groups_and_folds(catalogue.products, settings.folds, params.seed())
    numbers = summary(catalogue, products)
    write_products(layout.PRODUCTS, products)
    write_rejected(layout.REJECTED, catalogue)
    write_json(layout.DATA_METRICS, numbers)
    train, test, groups = numbers["train"], numbers["test"], numbers["groups"]
    print(
        f"prepare: {settings.dir}: {train['kept']:,} train rows ({train['rejected']:,} rejected), "
        f"{test['rows']:,} test rows ({test['flagged']:,} flagged), {groups['count']:,} groups, "
        f"the largest of {groups['largest']:,} rows"
    )
    if train["rejected"] or test["flagged"]:
        print(f"prepare: {layout.REJECTED} lists each row with its reason")


if __name__ == "__main__":
    run(main)
