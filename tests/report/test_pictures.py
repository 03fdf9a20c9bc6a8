"""Small pictures for the page."""

import base64
import io
from pathlib import Path

import pytest
from pictures import jpeg
from PIL import Image

from amlc.errors import DataError
from amlc.images.outcome import Outcome, Picture
from amlc.images.shards import write_shard
from amlc.report.pictures import SIZE, thumbnails

LARGE = Picture(256, 128, jpeg(width=256, height=128))


def write(folder: Path, picture: Picture = LARGE) -> None:
    """Write two shards: a good link in each, and a placeholder."""
    outcomes = [Outcome.ok(picture), Outcome.failed("http 404", 1)]
    write_shard(folder, 0, ["a", "b"], outcomes, LARGE)
    write_shard(folder, 1, ["c"], [Outcome.ok(picture)], LARGE)


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
