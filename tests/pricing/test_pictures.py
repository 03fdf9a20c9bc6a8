"""The sources of the pictures of a CSV."""

from pathlib import Path

import pytest

from amlc.errors import ImageError
from amlc.images.settings import FetchSettings, ImageSettings, PictureSettings
from amlc.pricing.pictures import DownloadedPictures, FolderPictures, NoPictures
from amlc.pricing.pricer import reduce_picture
from tests.helpers.pictures import jpeg
from tests.helpers.site import Site, page

LIMITS = PictureSettings(
    size=64, quality=90, max_bytes=1_000_000, max_pixels=1_000_000, max_side=65_535, min_side=8
)
FIRST, SECOND = "https://a.com/one.jpg", "https://a.com/two.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one good picture and one bad one."""
    (tmp_path / "one.jpg").write_bytes(jpeg())
    (tmp_path / "two.jpg").write_bytes(b"no picture")
    return tmp_path


def test_a_picture_of_a_folder_is_as_the_pipeline_would_keep_it(folder: Path) -> None:
    """A picture from a folder is checked and reduced."""
    linked = FolderPictures(folder, [FIRST], LIMITS).find([FIRST])
    assert linked[0].picture == reduce_picture(jpeg(), LIMITS)
    assert not linked[0].reason


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (SECOND, "picture not used: not an image"),
        ("https://a.com/three.jpg", "no picture in the folder"),
        ("https://a.com/..", "no picture in the folder"),
        ("", ""),
    ],
)
def test_a_picture_that_a_folder_lacks_has_a_reason(folder: Path, link: str, reason: str) -> None:
    """Only an empty link has no reason, because its row has one already."""
    linked = FolderPictures(folder, [FIRST, SECOND], LIMITS).find([link])[0]
    assert (linked.picture, linked.reason) == (None, reason)


def test_a_file_that_two_links_could_mean_is_not_used(folder: Path) -> None:
    """A name that two links share identifies neither picture."""
    other = "https://b.com/one.jpg"
    pictures = FolderPictures(folder, [FIRST, other, FIRST], LIMITS)
    assert [linked.picture for linked in pictures.find([FIRST, other])] == [None, None]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A wrong folder stops the command instead of pricing every row without a picture."""
    with pytest.raises(ImageError, match="No such file"):
        FolderPictures(tmp_path / "nothing", [], LIMITS)


def test_pricing_by_text_alone_gives_no_reasons() -> None:
    """A picture that was not asked for is not reported as missing."""
    linked = NoPictures().find([FIRST])
    assert [(each.picture, each.reason) for each in linked] == [(None, "")]


def test_pictures_are_downloaded_and_kept_in_the_store(tmp_path: Path) -> None:
    """The second request takes them from the store; a link that fails has its reason."""
    settings = ImageSettings(allow_private_hosts=["127.0.0.1"], tries=1, **LIMITS.model_dump())
    with Site({"/one.jpg": page(jpeg())}) as site:
        links = [site.url("/one.jpg"), "", site.url("/none.jpg"), site.url("/one.jpg")]
        pictures = DownloadedPictures(settings, FetchSettings(workers=2), tmp_path / "store.sqlite")
        first, again = pictures.find(links), pictures.find(links)
        assert site.hits["/one.jpg"] == 1
    assert first == again
    assert first[0].picture == first[3].picture == reduce_picture(jpeg(), LIMITS)
    assert [linked.reason for linked in first] == ["", "", "picture not used: http 404", ""]


def test_without_links_no_store_is_opened(tmp_path: Path) -> None:
    """Rows without links do not create a store."""
    settings = ImageSettings(**LIMITS.model_dump())
    pictures = DownloadedPictures(settings, FetchSettings(), tmp_path / "store.sqlite")
    assert [each.picture for each in pictures.find(["", ""])] == [None, None]
    assert not (tmp_path / "store.sqlite").exists()
