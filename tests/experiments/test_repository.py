"""Revisions and experiments, read without a checkout."""

from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from amlc.errors import DataError
from amlc.experiments.repository import Repository, locked_outputs
from tests.helpers.revisions import OUTPUTS, add_experiment, empty_cache, git

PRODUCTS = Path("data/products.parquet")
BLEND = Path("data/blend/predictions.parquet")


def test_branches_experiments_and_commits_are_found_by_name(root: Path) -> None:
    """An experiment is known by the name that DVC gave it."""
    repository = Repository(root)
    head = git(root, "rev-parse", "HEAD")
    for name in ("main", "HEAD", head, head[:7]):
        assert repository.revision(name).commit == head
    assert repository.revision("fine-yak").kind == "experiment"
    assert {each.name for each in repository.experiments()} == {"fine-yak", "poor-gnu"}
    assert [each.name for each in repository.branches()] == ["main"]


@pytest.mark.parametrize("name", ["nothing", "--help", "HEAD:params.yaml", "", "a b\nc"])
def test_an_unknown_name_ends_in_a_sentence(repository: Repository, name: str) -> None:
    """It says what lists the names; a name is never an option of git."""
    with pytest.raises(DataError, match="not a revision or an experiment"):
        repository.revision(name)


def test_a_name_that_two_experiments_have_is_refused(root: Path) -> None:
    """Experiments of different commits may have the same name."""
    git(root, "commit", "--quiet", "--allow-empty", "--message", "later")
    add_experiment(root, "fine-yak", noise=0.4, seed=4)
    with pytest.raises(DataError, match="several experiments have this name"):
        Repository(root).revision("fine-yak")


def test_tracked_files_are_those_of_each_revision(repository: Repository) -> None:
    """A file that a revision lacks, or that is a folder, is None."""
    revisions = [repository.revision(name) for name in ("main", "fine-yak", "workspace")]
    seeds = [
        yaml.safe_load(text or b"")["seed"]
        for text in repository.read(revisions, Path("params.yaml"))
    ]
    assert seeds == [1, 2, 1]
    assert repository.read(revisions, Path("nothing.yaml")) == [None, None, None]
    assert repository.read(revisions, Path("metrics")) == [None, None, None]


def test_data_comes_from_the_cache_in_the_state_of_the_revision(
    root: Path, repository: Repository
) -> None:
    """The workspace's own file is read where it is."""
    assert repository.data(repository.revision("workspace"), BLEND) == root / BLEND
    main, other = (
        repository.data(repository.revision(name), BLEND) for name in ("main", "fine-yak")
    )
    assert main.read_bytes() == (root / BLEND).read_bytes()
    assert main.read_bytes() != other.read_bytes()


def test_a_file_that_a_run_removes_just_now_has_no_digest(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC removes the outputs of each stage that it starts."""
    workspace = repository.revision("workspace")
    assert repository.digest(workspace, BLEND) is not None

    def opened(_: Path, *__: object) -> NoReturn:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "open", opened)
    assert repository.digest(workspace, BLEND) is None


def test_files_of_a_folder_are_listed_for_a_commit_as_for_the_workspace(
    repository: Repository,
) -> None:
    """The list of a commit comes from DVC's cache."""
    folder = Path("data/models")
    revisions = [repository.revision(name) for name in ("main", "workspace")]
    one, other = (repository.files(each, folder / "lightgbm") for each in revisions)
    assert one == other
    assert folder / "lightgbm/predictions.parquet" in one


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("main", "dvc fetch --all-commits"),
        ("fine-yak", "dvc exp pull origin fine-yak"),
    ],
)
def test_data_missing_from_the_cache_is_named_with_the_command(
    root: Path, name: str, command: str
) -> None:
    """It is the command that fetches it from the remote."""
    empty_cache(root)
    repository = Repository(root)
    with pytest.raises(DataError, match=f"{PRODUCTS} is not in DVC's cache.*{command}"):
        repository.data(repository.revision(name), PRODUCTS)


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    """Git's own message says so."""
    with pytest.raises(DataError, match="not a git repository"):
        Repository(tmp_path).experiments()


def test_a_git_repository_without_dvc_is_named(root: Path) -> None:
    """Data cannot be read there."""
    (root / ".dvc/config").unlink()
    (root / ".dvc").rename(root / ".gone")
    repository = Repository(root)
    with pytest.raises(DataError, match="not a DVC repository"):
        repository.data(repository.revision("main"), PRODUCTS)


def test_outputs_of_a_lock_are_those_that_yaml_reads() -> None:
    """The lock file of this repository, with dependencies and parameters between the outputs."""
    text = (Path(__file__).parents[2] / "dvc.lock").read_text()
    stages = yaml.safe_load(text)["stages"].values()
    expected = {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
    assert locked_outputs(text) == expected
    assert len(expected) > len(OUTPUTS)


@pytest.mark.parametrize("text", ["", "stages: [", "    outs:\n      md5: x\n", "\x00"])
def test_a_lock_that_is_none_has_no_outputs(text: str) -> None:
    """Conflicts of a merge may stand in it."""
    assert locked_outputs(text) == {}
