"""Which products the page shows."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amlc.errors import DataError
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from amlc.report.examples import SHEET, SIZE, extremes, sheet, thumbnails
from amlc.report.findings import Findings, read_findings
from tests.helpers.pictures import jpeg
from tests.helpers.results import write_results


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Return findings of 120 products in groups of two."""
    root = tmp_path_factory.mktemp("results")
    write_results(root)
    return read_findings(root, ["linear"], sampled=True)


def test_the_worst_come_first(findings: Findings) -> None:
    """Checked against a plain sort, without duplicates."""
    rows = findings.train.assign(ratio=findings.log_ratio)
    for name, ascending in (("too low", True), ("too high", False)):
        expected = rows.sort_values("ratio", ascending=ascending).drop_duplicates("group")
        found = extremes(findings)[name]
        assert found["sample_id"].tolist() == expected["sample_id"].head(len(found)).tolist()


def test_the_closest_is_the_closest(findings: Findings) -> None:
    """Of all products."""
    closest = extremes(findings)["closest"]["sample_id"].iloc[0]
    place = int(np.argmin(np.abs(findings.log_ratio)))
    assert closest == findings.train["sample_id"].iloc[place]


def test_no_group_of_duplicates_is_shown_twice(findings: Findings) -> None:
    """One product fills one place."""
    assert all(rows["group"].is_unique for rows in extremes(findings).values())


def test_a_price_that_is_too_high_is_never_called_too_low(findings: Findings) -> None:
    """Also where all prices are too high."""
    dear = findings.train.assign(predicted=2 * findings.train["price"])
    found = extremes(Findings(**{**vars(findings), "train": dear}))
    assert (len(found["too low"]), len(found["too high"])) == (0, 6)


def test_the_sheet_goes_from_cheap_to_dear(findings: Findings) -> None:
    """From the cheapest to the dearest product with a picture."""
    found = sheet(findings)
    pictured = findings.train.loc[findings.train["pictured"], "price"]
    assert len(found) == SHEET
    assert found["price"].is_monotonic_increasing
    assert (found["price"].min(), found["price"].max()) == (pictured.min(), pictured.max())


def test_a_catalogue_without_pictures_has_no_sheet(tmp_path: Path) -> None:
    """The page leaves it out."""
    write_results(tmp_path, pictured=False)
    assert sheet(read_findings(tmp_path, ["linear"], sampled=True)).empty


LARGE = Picture(256, 128, jpeg(width=256, height=128))


def write(folder: Path, picture: Picture = LARGE) -> None:
    """Write two shards: a good link in each, and a placeholder."""
    outcomes = [FetchResult.ok(picture), FetchResult.failed("http 404", 1)]
    write_shard(folder, 0, ["a", "b"], outcomes, LARGE)
    write_shard(folder, 1, ["c"], [FetchResult.ok(picture)], LARGE)


def test_pictures_shrink_and_keep_their_shape(tmp_path: Path) -> None:
    """The longest side is what the page needs."""
    write(tmp_path)
    head, data = thumbnails(tmp_path, ["a"])["a"].split(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (SIZE, SIZE // 2)


def test_placeholders_and_unknown_links_are_left_out(tmp_path: Path) -> None:
    """From all shards, only those asked for that have a picture."""
    write(tmp_path)
    assert sorted(thumbnails(tmp_path, ["a", "b", "c", "d", "a"])) == ["a", "c"]


def test_no_links_read_nothing(tmp_path: Path) -> None:
    """Not even the folder."""
    assert thumbnails(tmp_path / "missing", []) == {}


def test_a_stored_picture_that_is_none_is_an_error(tmp_path: Path) -> None:
    """It names the shard and what to do."""
    write(tmp_path, Picture(8, 8, b"nothing"))
    with pytest.raises(DataError, match=r"shard-00000.*run the stage images"):
        thumbnails(tmp_path, ["a"])
