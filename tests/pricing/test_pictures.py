"""The sources of the pictures of a CSV."""

from pathlib import Path

import pytest

from amlc.errors import ImageError
from amlc.images.decode import decode
from amlc.images.mirror import Mirror
from amlc.images.settings import FetchSettings, ImageSettings, PictureSettings
from amlc.pricing.estimates import ProductPicture, Reason, ReasonKind
from amlc.pricing.pictures import download_pictures, find_pictures
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


def find(folder: Path, links: list[str]) -> list[ProductPicture]:
    """Return what is found for all links of a run."""
    return find_pictures(links, Mirror(str(folder), links))


def test_a_picture_of_a_folder_is_its_file(folder: Path) -> None:
    """A picture is read only when it is priced; a repeated link has it each time."""
    one = folder / "one.jpg"
    assert find(folder, [FIRST, SECOND, FIRST]) == [one, folder / "two.jpg", one]


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("no link", "picture not used: malformed link"),
        ("https://a.com/three.jpg", "no picture in the folder"),
        ("https://a.com/..", "no picture in the folder"),
        ("", "None"),
    ],
)
def test_a_picture_that_a_folder_lacks_has_a_reason(folder: Path, link: str, reason: str) -> None:
    """Only an empty link has no reason, because its row has one already."""
    assert str(find(folder, [link])[0]) == reason


def test_a_file_that_two_links_could_mean_is_not_used(folder: Path) -> None:
    """A name that two links share identifies neither picture."""
    missing = Reason(ReasonKind.NOT_IN_FOLDER)
    assert find(folder, [FIRST, "https://b.com/one.jpg", FIRST]) == [missing] * 3


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A wrong folder stops the command instead of pricing every row without a picture."""
    with pytest.raises(ImageError, match="No such file"):
        find(tmp_path / "nothing", [])


def test_pictures_are_downloaded_and_kept_in_the_store(tmp_path: Path) -> None:
    """The second request takes them from the store; a link that fails has its reason."""
    settings = ImageSettings(allow_private_hosts=["127.0.0.1"], tries=1, **LIMITS.model_dump())
    with Site({"/one.jpg": page(jpeg())}) as site:
        links = [site.url("/one.jpg"), "", site.url("/none.jpg"), site.url("/one.jpg")]
        arguments = (links, settings, FetchSettings(workers=2), tmp_path / "store.sqlite")
        first, again = download_pictures(*arguments), download_pictures(*arguments)
        assert site.hits["/one.jpg"] == 1
    assert first == again
    reason = Reason(ReasonKind.PICTURE_NOT_USED, "http 404")
    picture = decode(jpeg(), LIMITS)
    assert first == [picture, None, reason, picture]


def test_without_links_no_store_is_opened(tmp_path: Path) -> None:
    """Rows without links do not create a store."""
    store = tmp_path / "store.sqlite"
    settings = ImageSettings(**LIMITS.model_dump())
    assert download_pictures(["", ""], settings, FetchSettings(), store) == [None, None]
    assert not store.exists()
