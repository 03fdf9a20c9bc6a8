"""An experiment reads only data that its commit has."""

import subprocess
from pathlib import Path

import pytest

from amlc.catalog.committed import BASELINE, check_committed
from amlc.errors import DataError

FOLDER, NAME = "data/raw", "train.csv"
DATA = Path(FOLDER, NAME)
AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def commit(*names: str) -> None:
    """Commit files with these names."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    subprocess.run(["git", "add", "--force", "--", *names], check=True)
    message = ("commit", "--quiet", "--allow-empty", "--message", "state")
    subprocess.run(["git", *AUTHOR, *message], check=True)


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a repository that has the data, in an experiment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(BASELINE, "HEAD")
    subprocess.run(["git", "init", "--quiet"], check=True)
    DATA.parent.mkdir(parents=True)
    DATA.touch()


@pytest.mark.parametrize(
    "name", ["data/raw/train.csv", "data/raw/train.csv.dvc", "data/raw.dvc", "data.dvc"]
)
def test_data_in_git_or_in_dvc_is_accepted(name: str) -> None:
    """A pointer may be that of the file or of a folder above it."""
    commit(name)
    check_committed(FOLDER, [NAME])


def test_data_without_a_pointer_is_refused_with_the_commands() -> None:
    """The first of them makes the pointer."""
    commit()
    with pytest.raises(DataError, match=r"Run: dvc add data/raw/train\.csv && git add data/raw/tr"):
        check_committed(FOLDER, [NAME])


def test_a_pointer_that_is_not_committed_is_refused_with_the_command() -> None:
    """The experiment would take it out of git's index."""
    commit()
    Path(f"{DATA}.dvc").touch()
    with pytest.raises(DataError, match=r"Run: git add data/raw/train\.csv\.dvc data/raw/\.gitig"):
        check_committed(FOLDER, [NAME])


def test_outside_an_experiment_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc repro` leaves git's index alone."""
    commit()
    monkeypatch.delenv(BASELINE)
    check_committed(FOLDER, [NAME])


def test_files_elsewhere_and_missing_ones_are_not_checked(tmp_path: Path) -> None:
    """Neither git nor DVC can keep them."""
    commit()
    check_committed(str(tmp_path / FOLDER), [NAME])
    check_committed(f"../{tmp_path.name}/{FOLDER}", [NAME])
    check_committed(FOLDER, ["test.csv", None])


def test_the_synthetic_catalogue_is_not_checked() -> None:
    """A stage makes it."""
    commit()
    DATA.parent.rename("data/synthetic")
    check_committed("data/synthetic", [NAME])


def test_without_git_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell what a commit has."""
    commit()
    monkeypatch.setenv("PATH", "")
    check_committed(FOLDER, [NAME])
