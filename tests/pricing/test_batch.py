"""Where the command finds pictures."""

from pathlib import Path

import pytest
import yaml

from amlc.errors import ImageError
from amlc.images.settings import ImageSettings
from amlc.pricing.batch import DownloadedPictures, FolderPictures, NoPictures
from amlc.pricing.bundle import PictureSettings
from amlc.pricing.pricer import reduced
from tests.helpers.pictures import jpeg
from tests.helpers.site import Site, page

LIMITS = PictureSettings(size=64, quality=90, max_bytes=1_000_000, max_pixels=1_000_000)
ONE, TWO = "https://a.com/one.jpg", "https://a.com/two.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one good picture and one bad one."""
    (tmp_path / "one.jpg").write_bytes(jpeg())
    (tmp_path / "two.jpg").write_bytes(b"no picture")
    return tmp_path


def test_a_folder_gives_what_the_pipeline_would_keep(folder: Path) -> None:
    """Checked and reduced."""
    found = FolderPictures(folder, [ONE], LIMITS).find([ONE])
    assert found[0].picture == reduced(jpeg(), LIMITS)
    assert not found[0].reason


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (TWO, "picture not used: not an image"),
        ("https://a.com/three.jpg", "no picture in the folder"),
        ("https://a.com/..", "no picture in the folder"),
        ("", ""),
    ],
)
def test_what_a_folder_does_not_have_is_told(folder: Path, link: str, reason: str) -> None:
    """A row without a link says so itself."""
    found = FolderPictures(folder, [ONE, TWO], LIMITS).find([link])[0]
    assert (found.picture, found.reason) == (None, reason)


def test_a_name_that_two_links_claim_belongs_to_neither(folder: Path) -> None:
    """As in the pipeline."""
    other = "https://b.com/one.jpg"
    pictures = FolderPictures(folder, [ONE, other, ONE], LIMITS)
    assert [one.picture for one in pictures.find([ONE, other])] == [None, None]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """Better than a million rows without a picture."""
    with pytest.raises(ImageError, match="No such file"):
        FolderPictures(tmp_path / "nothing", [], LIMITS)


def test_no_pictures_blame_nobody() -> None:
    """Whoever asks for none misses none."""
    assert [(one.picture, one.reason) for one in NoPictures().find([ONE])] == [(None, "")]


def test_pictures_are_downloaded_and_remembered(tmp_path: Path) -> None:
    """The second time the store has them; what fails has its reason."""
    raw = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())["images"]
    changes = {"mirror": None, "allow_private_hosts": ["127.0.0.1"], **LIMITS.model_dump()}
    settings = ImageSettings.model_validate({**raw, **changes, "workers": 2, "tries": 1})
    with Site({"/one.jpg": page(jpeg())}) as site:
        links = [site.url("/one.jpg"), "", site.url("/none.jpg"), site.url("/one.jpg")]
        pictures = DownloadedPictures(settings, tmp_path / "store.sqlite")
        first, again = pictures.find(links), pictures.find(links)
        assert site.hits["/one.jpg"] == 1
    assert first == again
    assert first[0].picture == first[3].picture == reduced(jpeg(), LIMITS)
    assert [one.reason for one in first] == ["", "", "picture not used: http 404", ""]


def test_no_links_need_no_store(tmp_path: Path) -> None:
    """Nothing is opened for nothing."""
    raw = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())["images"]
    settings = ImageSettings.model_validate({**raw, "mirror": None})
    found = DownloadedPictures(settings, tmp_path / "store.sqlite").find(["", ""])
    assert [one.picture for one in found] == [None, None]
    assert not (tmp_path / "store.sqlite").exists()
