"""What killed runs left behind goes away; what is in use stays."""

from pathlib import Path

from amlc.files import replacing_folder
from amlc.images.leftovers import in_use, remove_leftovers


def test_a_killed_runs_folder_is_removed(tmp_path: Path) -> None:
    """Nothing else beside the target is touched."""
    target = tmp_path / "images"
    (tmp_path / ".images.abc").mkdir()
    (tmp_path / ".images.abc" / "shard").touch()
    (tmp_path / ".other.abc").mkdir()
    target.mkdir()
    remove_leftovers(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.abc", "images"]


def test_a_folder_in_use_stays(tmp_path: Path) -> None:
    """Another run's half-made folder is not a leftover."""
    target = tmp_path / "images"
    with replacing_folder(target) as folder, in_use(folder):
        (folder / "shard").touch()
        remove_leftovers(target)
    assert (target / "shard").exists()
