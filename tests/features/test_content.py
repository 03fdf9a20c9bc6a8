"""Texts and pictures of products, for models that read them themselves."""

from pathlib import Path

import numpy as np
import pytest

from amlc.errors import DataError
from amlc.features.blocks import Blocks
from amlc.features.content import Content, content_of
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from tests.helpers.pictures import jpeg

A, B, C, D = (f"https://{host}/1.jpg" for host in "abcd")
LINKS: list[tuple[str, ...]] = [("",), (B,), (A,), (A,), (C,)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return image shards in which one link has no picture."""
    found = [FetchResult("ok", "", 0, Picture(96, 64, jpeg(seed))) for seed in (1, 2)]
    missing = FetchResult("placeholder", "404", 1, None)
    write_shard(tmp_path, 0, [A, B, C], [*found, missing], Picture(96, 64, jpeg(9)))
    return tmp_path


def content(folder: Path, links: list[tuple[str, ...]] = LINKS) -> Content:
    """Return the content of products with these links."""
    return Content.of_links([f"text {row}" for row in range(len(links))], links, folder)


def test_pictures_are_found_by_their_links(folder: Path) -> None:
    """A product without a link, and one whose link failed, have no picture."""
    assert content(folder).jpegs() == [(), (jpeg(2),), (jpeg(1),), (jpeg(1),), ()]


def test_a_product_has_all_its_pictures(folder: Path) -> None:
    """In the order of its links, without those that failed."""
    assert content(folder, [(B, C, A), (C, B)]).jpegs() == [(jpeg(2), jpeg(1)), (jpeg(2),)]


def test_rows_are_taken_with_both(folder: Path) -> None:
    """In the given order; nothing of a picture is read before."""
    blocks = Blocks(content=content(folder)).take(np.array([2, 0]))
    taken = content_of(blocks)
    assert taken is not None
    assert len(blocks) == 2
    assert taken.texts.tolist() == ["text 2", "text 0"]
    assert taken.jpegs() == [(jpeg(1),), ()]


def test_files_need_no_shards() -> None:
    """As for a new product."""
    new = Content.of_files(["a", ""], [(None,), (b"jpeg", None, b"other")])
    assert new.jpegs() == [(), (b"jpeg", b"other")]
    assert new.shape == (2, 2)


def test_a_link_without_a_row_is_named(folder: Path) -> None:
    """The message says which stage to run."""
    with pytest.raises(DataError, match=r"1 links: https://d/1\.jpg; run the stage images"):
        content(folder, [(A,), (B, D)]).jpegs()


def test_no_pictures_need_no_shards(tmp_path: Path) -> None:
    """A catalogue may have none."""
    assert content(tmp_path, [("",), ()]).jpegs() == [(), ()]


def test_blocks_without_content_have_none() -> None:
    """Most models need none."""
    assert content_of(Blocks()) is None
