"""What a kill broke off is remembered."""

from pathlib import Path

import pytest

from amlc.errors import ImageError
from amlc.images.begun import Begun


def _broken_off(path: Path, *links: str) -> None:
    """Begin with some links and be broken off."""
    begun = Begun(path)
    for link in links:
        begun.add(link)
    begun.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def test_a_run_that_was_broken_off_leaves_its_links(tmp_path: Path) -> None:
    """The next run knows which links were begun, and no others."""
    _broken_off(tmp_path / "begun", "https://a.com/1", "https://a.com/2")
    with Begun(tmp_path / "begun") as begun:
        assert "https://a.com/2" in begun
        assert "https://a.com/3" not in begun


def test_a_link_of_this_run_is_not_one_of_an_earlier_one(tmp_path: Path) -> None:
    """A run does not put off its own links."""
    with Begun(tmp_path / "begun") as begun:
        begun.add("https://a.com/1")
        assert "https://a.com/1" not in begun


def test_a_run_that_ends_leaves_nothing(tmp_path: Path) -> None:
    """The file does not grow from run to run."""
    _broken_off(tmp_path / "begun", "https://a.com/1")
    with Begun(tmp_path / "begun") as begun:
        begun.add("https://a.com/2")
    assert (tmp_path / "begun").read_bytes() == b""


def test_links_of_several_broken_runs_add_up(tmp_path: Path) -> None:
    """Kills may come in quick succession."""
    _broken_off(tmp_path / "begun", "https://a.com/1")
    _broken_off(tmp_path / "begun", "https://a.com/2")
    with Begun(tmp_path / "begun") as begun:
        assert "https://a.com/1" in begun
        assert "https://a.com/2" in begun


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder in the file's place gives a sentence, not a traceback."""
    (tmp_path / "begun").mkdir()
    with pytest.raises(ImageError, match=r"begun: cannot be written"):
        Begun(tmp_path / "begun")
