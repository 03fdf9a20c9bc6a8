"""The products that the page shows."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from amlc.catalog.products import write_products
from amlc.errors import DataError
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from amlc.report.examples import SHEET, SIZE, cards, extremes, read_texts, sheet, thumbnails, tiles
from amlc.report.findings import Findings, read_findings
from tests.helpers.pictures import jpeg
from tests.helpers.results import HOSTILE, products, write_results


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Return findings of 120 products in groups of two."""
    root = tmp_path_factory.mktemp("results")
    write_results(root)
    return read_findings(root, ["linear"], synthetic=True)


def texts(rows: pd.DataFrame) -> dict[str, str]:
    """Return a text for each row."""
    return dict.fromkeys(rows["sample_id"], HOSTILE)


def test_texts_are_read_by_id(tmp_path: Path) -> None:
    """Whatever the order of the ids, and in whichever row group the products are."""
    table = products(5, 2)
    write_products(tmp_path / "products.parquet", table, group_rows=2)
    expected = table.set_index("sample_id")["catalog_content"][["1", "3", "6"]].to_dict()
    assert read_texts(tmp_path / "products.parquet", {"6", "1", "3"}) == expected


def test_the_largest_errors_come_first(findings: Findings) -> None:
    """The order is that of a plain sort without duplicates."""
    rows = findings.train.assign(ratio=findings.log_ratio)
    for name, ascending in (("too low", True), ("too high", False)):
        expected = rows.sort_values("ratio", ascending=ascending).drop_duplicates("group")
        shown = extremes(findings)[name]
        assert shown["sample_id"].tolist() == expected["sample_id"].head(len(shown)).tolist()


def test_the_closest_prediction_is_the_closest_of_all(findings: Findings) -> None:
    """No other product has a smaller error."""
    closest = extremes(findings)["closest"]["sample_id"].iloc[0]
    position = int(np.argmin(np.abs(findings.log_ratio)))
    assert closest == findings.train["sample_id"].iloc[position]


def test_no_group_of_duplicates_is_shown_twice(findings: Findings) -> None:
    """Each group is shown at most once."""
    assert all(rows["group"].is_unique for rows in extremes(findings).values())


def test_a_price_that_is_too_high_is_never_called_too_low(findings: Findings) -> None:
    """Even where all predictions are too high, none is shown as too low."""
    doubled = findings.train.assign(predicted=2 * findings.train["price"])
    shown = extremes(replace(findings, train=doubled))
    assert (len(shown["too low"]), len(shown["too high"])) == (0, 6)


def test_the_sheet_goes_from_cheap_to_expensive(findings: Findings) -> None:
    """Both ends are products with a picture."""
    shown = sheet(findings)
    pictured = findings.train.loc[findings.train["pictured"], "price"]
    assert len(shown) == SHEET
    assert shown["price"].is_monotonic_increasing
    assert (shown["price"].min(), shown["price"].max()) == (pictured.min(), pictured.max())


def test_a_catalogue_without_pictures_has_no_sheet(tmp_path: Path) -> None:
    """There is nothing to show."""
    write_results(tmp_path, pictured=False)
    assert sheet(read_findings(tmp_path, ["linear"], synthetic=True)).empty


def test_places_on_the_price_axis_follow_the_prices(findings: Findings) -> None:
    """A card has its row's prices, in their order, and everything lies on the axis."""
    rows = findings.train
    for card, row in zip(cards(rows, texts(rows), {}, findings), rows.itertuples(), strict=True):
        prices = (card.low, card.predicted, card.high, card.actual)
        assert prices == (row.low, row.predicted, row.high, row.price)
        low, predicted, high, actual = (
            card.positions[name] for name in ("low", "predicted", "high", "actual")
        )
        assert 0 <= low <= predicted <= high <= 100
        assert 0 <= actual <= 100


def test_a_hostile_text_is_cut_to_size_on_a_card(findings: Findings) -> None:
    """Neither its title nor its excerpt is longer than the page has room for."""
    for card in cards(findings.train, texts(findings.train), {}, findings):
        assert 0 < len(card.title) <= 110
        assert len(card.excerpt) <= 120


def test_a_product_has_the_picture_of_its_link(findings: Findings) -> None:
    """A card without a picture stays, a tile without one is left out."""
    rows = findings.train.head(3)
    pictures = {rows["image_link"].iloc[1]: "data:x"}
    shown = cards(rows, texts(rows), pictures, findings)
    assert [card.picture for card in shown] == [None, "data:x", None]
    assert [tile.price for tile in tiles(rows, texts(rows), pictures)] == [rows["price"].iloc[1]]


LARGE = Picture(256, 128, jpeg(width=256, height=128))


def write(folder: Path, picture: Picture = LARGE) -> None:
    """Write two shards: a good link in each, and a placeholder."""
    results = [FetchResult.ok(picture), FetchResult.failed("http 404", 1)]
    write_shard(folder, 0, ["a", "b"], results, LARGE)
    write_shard(folder, 1, ["c"], [FetchResult.ok(picture)], LARGE)


def test_pictures_shrink_and_keep_their_shape(tmp_path: Path) -> None:
    """The longest side becomes what the page needs."""
    write(tmp_path)
    head, data = thumbnails(tmp_path, ["a"])["a"].split(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (SIZE, SIZE // 2)


def test_placeholders_and_unknown_links_are_left_out(tmp_path: Path) -> None:
    """Only links that are asked for and have a picture are returned, from all shards."""
    write(tmp_path)
    assert sorted(thumbnails(tmp_path, ["a", "b", "c", "d", "a"])) == ["a", "c"]


def test_no_links_read_nothing(tmp_path: Path) -> None:
    """Not even the folder has to exist."""
    assert thumbnails(tmp_path / "missing", []) == {}


def test_a_stored_picture_that_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    """The message names the shard and what to do."""
    write(tmp_path, Picture(8, 8, b"nothing"))
    with pytest.raises(DataError, match=r"shard-00000.*run the stage images"):
        thumbnails(tmp_path, ["a"])
