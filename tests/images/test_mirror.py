"""A link's picture is found in the user's folder, and never outside it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.links import LinkError, parse_link
from amlc.errors import ImageError
from amlc.images.mirror import Mirror, file_names, mirror_folder


def _find(folder: Path, link: str, *others: str) -> str | None:
    path = Mirror(str(folder), [link, *others]).find(parse_link(link))
    return None if path is None else path.name


def test_a_picture_is_found_by_its_file_name(tmp_path: Path) -> None:
    """The last segment of the path counts, without the query."""
    (tmp_path / "21Rv+jEL.jpg").touch()
    assert _find(tmp_path, "https://a.com/images/I/21Rv+jEL.jpg?x=1") == "21Rv+jEL.jpg"
    assert _find(tmp_path, "https://a.com/other.jpg") is None


@pytest.mark.parametrize(("link", "name"), [("a.jpg", "a.png"), ("a", "a.jpg"), ("a.x", "a.webp")])
def test_a_picture_may_have_another_extension(tmp_path: Path, link: str, name: str) -> None:
    """A folder of converted pictures can be used."""
    (tmp_path / name).touch()
    assert _find(tmp_path, f"https://a.com/{link}") == name


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("71Xb.jpg", "71xb.JPG"),
        ("a.jpg", "a.JPEG"),
        ("a.jpg", "a.jfif"),
        ("a.jpg?v=2", "a.jpg?v=2"),
        ("a.jpg?v=2&w=%20x/y", "a.jpg?v=2&w= x%2Fy"),
        ("a.jpg?v=2", "a.jpg@v=2"),
        ("a.jpg?v=2", "A.JPG"),
        ("image?id=7", "image?id=7.jpg"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("cafe%CC%81.jpg", "caf\u00e9.jpg"),
        ("caf%c3%a9.jpg", "caf%c3%a9.jpg"),
        ("my pic.jpg", "my pic.jpg"),
        ("my%20pic.jpg", "My Pic.jpeg"),
    ],
)
def test_a_picture_is_found_under_the_name_that_tools_give_it(
    tmp_path: Path, link: str, name: str
) -> None:
    """In another case, with the query of its link, or with accents as macOS writes them."""
    (tmp_path / name).touch()
    assert _find(tmp_path, f"https://a.com/{link}") == name


def test_case_decides_where_it_can(tmp_path: Path) -> None:
    """Names of Amazon differ only in case: the picture of one is not that of another."""
    (tmp_path / "71XB.jpg").touch()
    capitals, small = "https://a.com/71XB.jpg", "https://a.com/71xb.jpg"
    assert _find(tmp_path, small, capitals) is None
    assert _find(tmp_path, capitals, small) == "71XB.jpg"
    (tmp_path / "71Xb.jpg").touch()
    assert _find(tmp_path, small) is None
    assert _find(tmp_path, capitals) == "71XB.jpg"


def test_queries_tell_links_apart(tmp_path: Path) -> None:
    """Files that keep the query belong to their links, although the paths are the same."""
    for name in ("a.jpg?v=1", "a.jpg?v=2"):
        (tmp_path / name).touch()
    first, second = "https://a.com/a.jpg?v=1", "https://a.com/a.jpg?v=2"
    assert _find(tmp_path, first, second) == "a.jpg?v=1"
    assert _find(tmp_path, "https://a.com/a.jpg?v=3", first, second) is None


def test_two_texts_of_one_link_are_no_two_links(tmp_path: Path) -> None:
    """Capitals in the host and escapes in the path change nothing."""
    (tmp_path / "a b.jpg").touch()
    links = ["https://a.com/a b.jpg", "HTTPS://A.com/a%20b.jpg", "https://a.com/a b.jpg#c"]
    assert {_find(tmp_path, link, *links) for link in links} == {"a b.jpg"}


def test_a_name_of_two_links_belongs_to_neither(tmp_path: Path) -> None:
    """No product gets the picture of another; such files are counted."""
    (tmp_path / "main.jpg").touch()
    first, second = "https://a.com/1/main.jpg", "https://a.com/2/main.jpg"
    assert _find(tmp_path, first, second) is None
    assert Mirror(str(tmp_path), [first, second]).ambiguous == 1
    (tmp_path / "main.jpg").rename(tmp_path / "MAIN.jpg")
    assert _find(tmp_path, first, second) is None
    assert Mirror(str(tmp_path), [first, second]).ambiguous == 1


def test_another_extension_must_not_belong_to_another_link(tmp_path: Path) -> None:
    """Where a.png and a.jpg are both links, a.png does not get the picture of a.jpg."""
    (tmp_path / "a.jpg").touch()
    first, second = "https://a.com/a.png", "https://a.com/a.jpg"
    assert _find(tmp_path, first, second) is None
    assert _find(tmp_path, second, first) == "a.jpg"


@pytest.mark.parametrize("tail", ["..%2fsecret.jpg", "%2e%2e%2fsecret.jpg", "..%5csecret.jpg"])
def test_no_link_reaches_outside(tmp_path: Path, tail: str) -> None:
    """A file beside the folder is never found."""
    (tmp_path / "secret.jpg").touch()
    inside = tmp_path / "mirror"
    inside.mkdir()
    assert _find(inside, f"https://a.com/{tail}") is None


def test_only_files_count(tmp_path: Path) -> None:
    """A folder with the name of a picture is not a picture."""
    (tmp_path / "a.jpg").mkdir()
    assert _find(tmp_path, "https://a.com/a.jpg") is None


def test_without_a_mirror_nothing_is_found() -> None:
    """Null does not mean the current folder."""
    assert Mirror(None, []).find(parse_link("https://a.com/pyproject.toml")) is None


def test_a_variable_names_the_mirror_where_params_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """So no path of one machine is committed; params.yaml comes first, and empty is unset."""
    monkeypatch.setenv("AMLC_MIRROR", "/pictures")
    assert mirror_folder(None) == "/pictures"
    assert mirror_folder("data/synthetic_images") == "data/synthetic_images"
    monkeypatch.setenv("AMLC_MIRROR", "")
    assert mirror_folder(None) is None


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The message names the setting and the folder."""
    with pytest.raises(ImageError, match=r"images\.mirror.*nowhere"):
        Mirror(str(tmp_path / "nowhere"), [])


@given(st.text(max_size=60))
def test_a_file_name_never_leaves_its_folder(tail: str) -> None:
    """The file names of any link are names of files directly in the folder."""
    try:
        link = parse_link("https://a.com/" + tail)
    except LinkError:
        return
    folder = Path("/some/folder")
    for name in file_names(link):
        assert (folder / name).parent == folder
        assert name not in {"", ".", ".."}
        assert not set(name) & {"/", "\\", "\x00"}


@pytest.mark.parametrize("tail", ["..", "%2e%2e", "a/%2e%2e%2fb", "x%5Cy", "x%00", "a/"])
def test_an_unsafe_last_segment_has_no_decoded_name(tail: str) -> None:
    """Dots, encoded slashes and nulls give, at most, the segment as it is written."""
    assert file_names(parse_link(f"https://a.com/{tail}")) in ([], [tail.rpartition("/")[2]])


def test_the_encoded_and_the_plain_name_are_both_candidates() -> None:
    """A folder may hold either spelling."""
    assert file_names(parse_link("https://a.com/b%2Bc.jpg")) == ["b+c.jpg", "b%2Bc.jpg"]


def test_a_picture_of_the_catalogue_is_found_at_its_path(tmp_path: Path) -> None:
    """Folders count, so that two files of one name are two pictures."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x y.jpg").touch()
    (tmp_path / "x y.jpg").touch()
    mirror = Mirror(str(tmp_path), [])
    found = mirror.find(parse_link("http://local.invalid/a/x%20y.jpg"))
    assert found == (tmp_path / "a/x y.jpg").resolve()
    assert mirror.find(parse_link("http://local.invalid/b/x%20y.jpg")) is None


@pytest.mark.parametrize(
    "path", ["../secret.jpg", "%2e%2e/secret.jpg", "out.jpg", "..%2fsecret.jpg"]
)
def test_no_path_leads_outside_the_folder(tmp_path: Path, path: str) -> None:
    """Neither by its parts, nor by a symbolic link."""
    (tmp_path / "secret.jpg").touch()
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    assert Mirror(str(folder), []).find(parse_link(f"http://local.invalid/{path}")) is None
