"""Pricing of a CSV file: the summary, and workers that end unexpectedly."""

from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from amlc.errors import ModelError
from amlc.pricing.batch import price_csv, price_file
from amlc.pricing.estimates import Estimate
from amlc.pricing.pictures import NoPictures
from amlc.pricing.pricer import BundlePricer, CheckedProduct
from amlc.pricing.workers import Workers


class BrokenWorkers(Workers):
    """Workers whose processes were killed."""

    def submit_checked(self, products: Sequence[CheckedProduct]) -> Future[list[Estimate]]:
        """Fail as a pool with a killed process does."""
        assert products
        failed: Future[list[Estimate]] = Future()
        failed.set_exception(BrokenProcessPool())
        return failed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a CSV with three products, one of them without text."""
    path = tmp_path / "products.csv"
    path.write_text("sample_id,catalog_content\n1,Item Name: Tea\n2,\n2,Item Name: Oil\n")
    return path


def test_the_summary_counts_rows_and_reasons(pipeline: Path, source: Path) -> None:
    """The summary has the number of prices, and how many rows have each reason."""
    target = source.with_name("prices.csv")
    summary = price_csv(source, target, pipeline / "bundle", no_images=True).splitlines()
    assert summary[0].startswith(f"3 prices in {target}, by model ")
    assert [line.split(maxsplit=1) for line in summary[1:]] == [
        ["1", "no text"],
        ["1", "repeated id"],
    ]


def test_a_killed_worker_is_an_error(pipeline: Path, source: Path) -> None:
    """The error says what to try, and no file is left behind."""
    target = source.with_name("prices.csv")
    pricer = BundlePricer.load(pipeline / "bundle")
    workers = BrokenWorkers(pipeline / "bundle", 2)
    with pytest.raises(ModelError, match="try --workers 1"):
        price_file(source, target, pricer, workers, NoPictures(), links=False)
    assert list(source.parent.iterdir()) == [source]
