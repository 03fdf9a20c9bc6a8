"""Pricing of a CSV file: the summary, and workers that end unexpectedly."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from amlc.catalog.rows import Row
from amlc.errors import ModelError
from amlc.pricing import batch
from amlc.pricing.batch import Group, price_csv, price_rows
from amlc.pricing.estimates import NO_TEXT, Estimate, Product
from amlc.pricing.workers import Workers


class BrokenWorkers(Workers):
    """Workers whose processes were killed."""

    def submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
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


def test_a_file_of_the_folder_that_is_no_picture_is_a_reason(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is priced without it, by this process as by workers."""
    monkeypatch.setattr(batch, "SMALL_BYTES", 0)
    source, folder = tmp_path / "products.csv", tmp_path / "pictures"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"no picture")
    source.write_text(
        "sample_id,catalog_content,image_link\n1,Item Name: Tea,https://a.com/one.jpg\n"
    )
    for workers in (1, 2):
        target = tmp_path / f"{workers}.csv"
        price_csv(source, target, pipeline / "bundle", images=folder, workers=workers)
        assert target.read_text().splitlines()[1].endswith(",picture not used: not an image")


def test_a_file_is_read_once(pipeline: Path, tmp_path: Path) -> None:
    """Without a folder of pictures, a pipe will do, which can be read only once."""
    source, target = tmp_path / "products.csv", tmp_path / "prices.csv"
    os.mkfifo(source)
    text = "sample_id,catalog_content\n" + "1,Item Name: Tea\n" * 5_000
    writer = threading.Thread(target=source.write_text, args=(text,))
    writer.start()
    price_csv(source, target, pipeline / "bundle", no_images=True)
    writer.join()
    assert len(target.read_text().splitlines()) == 5_001


class RefusingWorkers(Workers):
    """Workers that were killed before anything was submitted."""

    def submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        """Fail as a pool does that knows of its killed process."""
        assert products
        raise BrokenProcessPool


@pytest.mark.parametrize("workers", [BrokenWorkers, RefusingWorkers])
def test_a_killed_worker_is_an_error(
    workers: type[Workers], pipeline: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to try, and no file is left behind."""
    monkeypatch.setattr(batch, "Workers", workers)
    monkeypatch.setattr(batch, "SMALL_BYTES", 0)
    target = source.with_name("prices.csv")
    with pytest.raises(ModelError, match="try --workers 1"):
        price_csv(source, target, pipeline / "bundle", no_images=True, workers=2)
    assert list(source.parent.iterdir()) == [source]


def groups(count: int) -> Iterator[Group]:
    """Yield groups of one row each, with the group's number as id and text."""
    for number in range(count):
        yield [Row(str(number), str(number), "", ())], [Product(str(number))]


def estimate(products: Sequence[Product]) -> list[Estimate]:
    """Return a price for each product, the number that its text is."""
    return [Estimate(float(product.text), 0.0, 1.0) for product in products]


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_groups_are_priced_ahead_and_come_in_order(ahead: int) -> None:
    """Whoever finishes first, rows come in their order, and few groups wait."""
    submitted: list[Future[list[Estimate]]] = []

    def submit(products: Sequence[Product]) -> Future[list[Estimate]]:
        submitted.append(Future())
        submitted[-1].set_result(estimate(products))
        return submitted[-1]

    for number, (rows, estimates) in enumerate(price_rows(groups(9), submit, lambda: ahead)):
        assert [row.sample_id for row in rows] == [str(number)]
        assert [each.price for each in estimates] == [number]
        assert len(submitted) == min(9, number + 1 + ahead)


def test_closing_cancels_what_is_not_priced() -> None:
    """Once nobody wants the prices, nothing more is priced."""
    futures = [Future[list[Estimate]]() for _ in range(3)]
    futures[0].set_result([])
    waiting = iter(futures)
    priced = price_rows(groups(9), lambda _: next(waiting), lambda: 2)
    next(priced)
    priced.close()
    assert [future.cancelled() for future in futures] == [False, True, True]


def test_a_group_of_a_killed_worker_is_priced_again() -> None:
    """With another way to price them, no row is lost."""
    broken: Future[list[Estimate]] = Future()
    broken.set_exception(BrokenProcessPool())
    good: Future[list[Estimate]] = Future()
    good.set_result([Estimate(1.0, 0.0, 2.0, (NO_TEXT,))])
    priced = price_rows(groups(2), lambda _: broken, lambda: 1, lambda _: good)
    assert [estimates for _, estimates in priced] == [good.result()] * 2
