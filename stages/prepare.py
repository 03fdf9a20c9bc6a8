"""Validate train.csv and test.csv; write the product table with its groups and folds."""

from pathlib import Path

import numpy as np
import pandas as pd

from amlc import params
from amlc.catalog.reading import DataSettings, read_catalogue, write_rejected
from amlc.catalog.summary import summary
from amlc.catalog.table import ID, LINK, PRICE, TEXT, train_rows, write_products
from amlc.errors import run
from amlc.files import write_json


def main() -> None:
    """Read, group, fold; write only when all of it went well."""
    settings = params.load(DataSettings, "data")
    seed = params.seed()
    catalogue = read_catalogue(settings)
    products = _with_groups_and_folds(catalogue.products, settings.folds, seed)
    numbers = summary(catalogue, products)
    write_products(Path("data/products.parquet"), products)
    write_rejected(Path("data/rejected.csv"), catalogue)
    write_json(Path("metrics/data.json"), numbers)
    _tell(numbers, settings.dir)


def _with_groups_and_folds(products: pd.DataFrame, folds: int, seed: int) -> pd.DataFrame:
    # SciPy takes longer to import than most errors of reading take to find.
    from amlc.catalog.folds import grouped_folds  # noqa: PLC0415 - see above
    from amlc.catalog.groups import product_groups  # noqa: PLC0415 - see above

    groups = product_groups(products[TEXT], products[LINK])
    train = train_rows(products)
    fold = np.full(len(products), -1, dtype=np.int8)
    fold[train] = grouped_folds(
        products[ID].iloc[train].tolist(),
        products[PRICE].to_numpy()[train],
        groups[train],
        folds=folds,
        seed=seed,
    )
    return products.assign(group=groups, fold=fold)


def _tell(numbers: dict[str, dict[str, int]], folder: str) -> None:
    train, test, groups = numbers["train"], numbers["test"], numbers["groups"]
    print(
        f"prepare: {folder}: {train['kept']:,} train rows ({train['rejected']:,} rejected), "
        f"{test['rows']:,} test rows ({test['flagged']:,} flagged), {groups['count']:,} groups, "
        f"the largest of {groups['largest']:,} rows"
    )
    if train["rejected"] or test["flagged"]:
        print("prepare: data/rejected.csv lists each row with its reason")


if __name__ == "__main__":
    run(main)
