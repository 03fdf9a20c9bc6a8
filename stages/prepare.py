"""Check train.csv and test.csv; write the product table with its groups and folds."""

from amlc import layout, params
from amlc.catalog.committed import check_committed
from amlc.catalog.intake import DataSettings, read_catalogue
from amlc.catalog.intake_report import data_metrics, notes, write_rejected
from amlc.catalog.products import TEXT, links_of, write_products
from amlc.catalog.splits import add_groups_and_folds, placeholder_links
from amlc.errors import first_few, run
from amlc.files import write_json


def main() -> None:
    """Read the catalogue and add groups and folds; write nothing before all of it has succeeded."""
    settings = params.load(DataSettings, "data")
    check_committed(settings.dir, (settings.train, settings.test))
    catalogue = read_catalogue(settings)
    found = catalogue.products
    placeholders = placeholder_links(found[TEXT], links_of(found), settings.placeholder_titles)
    products = add_groups_and_folds(
        found, placeholders, settings.folds, params.seed(), settings.holdout
    )
    metrics = data_metrics(catalogue, products, placeholders)
    write_products(layout.PRODUCTS, products)
    write_rejected(layout.REJECTED, catalogue)
    write_json(layout.DATA_METRICS, metrics)
    train, test, groups = metrics["train"], metrics["test"], metrics["groups"]
    print(
        f"prepare: {settings.dir}: {train['kept']:,} train rows ({train['rejected']:,} rejected), "
        f"{test['rows']:,} test rows ({test['flagged']:,} flagged), {groups['count']:,} groups, "
        f"the largest has {groups['largest']:,} rows"
    )
    for note in notes(catalogue, metrics):
        print(f"prepare: {note}")
    for split, counts in (("train", train), ("test", test)):
        if counts["without_text"] or counts["without_link"]:
            print(
                f"prepare: {counts['without_text']:,} {split} rows have no text, "
                f"{counts['without_link']:,} no link"
            )
    if placeholders:
        named = first_few(f"{link} ({rows:,} rows)" for link, rows in placeholders.items())
        print(
            "prepare: links beside many different titles, most likely a picture that says that "
            f"there is none, so that they make no groups: {named}"
        )
    if groups["largest"] > len(products) / settings.folds:
        print(
            f"prepare: one group has {groups['largest']:,} of {len(products):,} rows, which makes "
            "the folds uneven: do these rows share a link or a title by mistake?"
        )
    if train["rejected"] or test["flagged"]:
        print(f"prepare: {layout.REJECTED} lists each row with its reason")


if __name__ == "__main__":
    run(main)
