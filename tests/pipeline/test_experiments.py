"""Experiments and sharing, with DVC itself on a small copy of the repository."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from amlc.catalog.products import ID, PRICE, read_products, train_rows
from amlc.experiments.predictions import Predictions
from amlc.experiments.repository import Repository
from amlc.metrics import smape_of_logs
from amlc.models.predictions import read_predictions
from tests.helpers.forks import FOR_DVC, Forks

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
COPIED = (".ci", ".dvcignore", ".gitignore", "amlc", "dvc.yaml", "params.yaml", "stages")
# The stages that training needs; train and blend are added below.
STAGES = (
    "code",
    "synthetic",
    "prepare",
    "images",
    "tabular",
    "terms",
    "topics",
    "neighbours",
    "vision",
    "encode",
    "inputs",
)
SMALL = [
    "models=[linear,ridge]",
    "synthetic.rows=120",
    "synthetic.test_rows=20",
    "synthetic.images=false",
    "images.mirror=null",
    "images.tries=1",
    "topics.n_components=8",
    "neighbours.n_compared=8",
    "neighbours.n_neighbors=16",
    "train.ridge.neighbours=[3,8]",
]


def run(root: Path, *command: str, code: int = 0) -> str:
    """Run a program in a repository and return what it printed; it must end with this code."""
    done = subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    return output


def environment(root: Path) -> dict[str, str]:
    """Return an environment in which nothing outside the test's folder is read or written."""
    base = root.parent
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    person = {"NAME": "A", "EMAIL": "a@example.org"}
    return {
        **os.environ,
        **{
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in person.items()
        },
        "PATH": programs,
        "AMLC_STORE": str(base / "store"),
        "DVC_GLOBAL_CONFIG_DIR": str(base / "global"),
        "DVC_SITE_CACHE_DIR": str(base / "site"),
        "DVC_NO_ANALYTICS": "1",
    }


class Dvc:
    """DVC and the command line of amlc in a repository."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks

    def __call__(self, root: Path, *arguments: str, code: int = 0) -> str:
        """Run DVC and return what it printed; it must end with this code."""
        return self.module(root, "dvc", *arguments, code=code)

    def module(self, root: Path, *command: str, code: int = 0) -> str:
        """Run a module as a program, in the same way."""
        ended, output = self._forks.run(*command, folder=root, env=environment(root))
        assert ended == code, output
        return output


def commit(root: Path) -> None:
    """Commit everything."""
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "--quiet", "--message", "state")


def clone(root: Path, folder: Path) -> Path:
    """Clone a repository."""
    run(root, "git", "clone", "--quiet", str(root), str(folder))
    return folder


def stages_run(output: str) -> list[str]:
    """Return the names of the stages that DVC ran."""
    return re.findall(r"^Running stage '(.+)'", output, re.MULTILINE)


@pytest.fixture(scope="module")
def dvc() -> Iterator[Dvc]:
    """Return a function that runs DVC in a fork, so that nothing is imported for each command."""
    with Forks(FOR_DVC) as forks:
        yield Dvc(forks)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, dvc: Dvc) -> Path:
    """Return a repository whose pipeline ran and whose results are in a remote, a local folder."""
    root = tmp_path_factory.mktemp("experiments") / "origin"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=ignore)
        else:
            shutil.copy(source, root / name)
    definition: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    kept = {name: definition[name] for name in (*STAGES, "train", "blend")}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": kept}, sort_keys=False))
    apply_overrides(str(root / "params.yaml"), SMALL)
    run(root, "git", "init", "--quiet", "--initial-branch=main")
    dvc(root, "init", "--quiet")
    dvc(root, "config", "core.autostage", "true")
    dvc(root, "remote", "add", "--default", "team", str(root.parent / "remote"))
    commit(root)
    dvc(root, "repro")
    commit(root)
    dvc(root, "push")
    return root


@pytest.fixture(scope="module")
def second(origin: Path, dvc: Dvc) -> Path:
    """Return a second clone, its data pulled from the remote; tests must not change it."""
    root = clone(origin, origin.parent / "second")
    dvc(root, "pull")
    return root


@pytest.fixture
def pulled(second: Path, tmp_path: Path) -> Path:
    """Return a copy of the second clone, which the test may change."""
    return Path(shutil.copytree(second, tmp_path / "second", symlinks=True))


def test_a_clone_that_pulls_has_nothing_to_run(pulled: Path, dvc: Dvc) -> None:
    """A colleague has the results without computing anything, and git sees no change."""
    output = dvc(pulled, "repro")
    assert stages_run(output) == []
    assert "Data and pipelines are up to date." in output
    assert run(pulled, "git", "status", "--porcelain") == ""


def test_a_current_lock_is_recognised_without_data(origin: Path, tmp_path: Path) -> None:
    """Continuous integration has the repository and no data."""
    second = clone(origin, tmp_path / "second")
    assert run(second, ".ci/lock-is-current") == "dvc.lock is current.\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [("alpha: 8.0", "alpha: 9.0"), ("rows: 120", "rows: 121")],
    ids=["of a model", "of the first stage"],
)
def test_a_lock_behind_a_parameter_is_recognised_without_data(
    origin: Path, tmp_path: Path, old: str, new: str
) -> None:
    """A change without its results is not accepted as reproduced."""
    second = clone(origin, tmp_path / "second")
    parameters = second / "params.yaml"
    text = parameters.read_text()
    assert old in text
    parameters.write_text(text.replace(old, new, 1))
    assert "dvc.lock is behind" in run(second, ".ci/lock-is-current", code=1)


@pytest.mark.parametrize(
    ("override", "rerun"),
    [
        ("topics.n_iter=3", ["topics", "inputs"]),
        ("train.linear.blocks=[tabular,topics]", ["inputs", "train@linear", "blend"]),
    ],
)
def test_a_model_is_fitted_again_only_for_blocks_that_it_sees(
    pulled: Path, dvc: Dvc, override: str, rerun: list[str]
) -> None:
    """Here linear sees the tabular block, ridge also terms and neighbours, and none the topics."""
    apply_overrides(str(pulled / "params.yaml"), [override])
    assert stages_run(dvc(pulled, "repro")) == rerun


def test_an_experiment_on_data_that_is_not_committed_stops(pulled: Path, dvc: Dvc) -> None:
    """The error has the commands, and after them the experiment runs."""
    (pulled / "data/raw").mkdir()
    for name in ("train.csv", "test.csv"):
        shutil.copy(pulled / "data/synthetic" / name, pulled / "data/raw")
    experiment = ("exp", "run", "-S", "data.dir=data/raw")
    dvc(pulled, "add", "data/raw/train.csv")
    output = dvc(pulled, *experiment, code=255)
    command = re.search(r"Run: (.*)$", output, re.MULTILINE)
    assert command is not None
    for part in command[1].split(" && "):
        program, *arguments = shlex.split(part)
        _ = dvc(pulled, *arguments) if program == "dvc" else run(pulled, program, *arguments)
    assert stages_run(dvc(pulled, *experiment)) == ["prepare"]
    run(pulled, "git", "commit", "--quiet", "--all", "--message", "results")
    assert run(pulled, "git", "status", "--porcelain") == ""


def test_an_experiment_elsewhere_runs_what_its_parameter_reaches_and_is_compared(
    pulled: Path, dvc: Dvc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its predictions are in DVC's cache, its duration in the store, neither in the workspace."""
    output = dvc(pulled, "exp", "run", "--temp", "--name", "try-it", "-S", "train.ridge.alpha=2.0")
    assert stages_run(output) == ["inputs", "train@ridge", "blend"]
    monkeypatch.setenv("AMLC_STORE", environment(pulled)["AMLC_STORE"])
    repository = Repository(pulled)
    main, experiment = repository.revision("HEAD"), repository.revision("try-it")
    predictions = Predictions(repository)
    difference = predictions.difference(main, experiment, "ridge")
    assert difference is not None
    assert difference.verdict in {"better", "worse", "unclear"}
    unchanged = predictions.difference(main, experiment, "linear")
    assert unchanged is not None
    assert unchanged.verdict == "same"
    timing = predictions.timing(experiment, "ridge")
    assert timing is not None
    assert timing.seconds > 0
    assert timing.peak_bytes > 50_000_000


@pytest.mark.parametrize(
    ("edited", "rerun"),
    [
        (["amlc/models/linear.py"], ["train@linear", "train@ridge"]),
        (["amlc/models/blend.py"], ["blend"]),
        (["amlc/models/forest.py", "amlc/report/results.py"], []),
    ],
)
def test_an_edit_reruns_the_stages_that_reach_it(
    pulled: Path, dvc: Dvc, edited: list[str], rerun: list[str]
) -> None:
    """No other stage runs, and no later one, because a comment changes no result."""
    for name in edited:
        add_comment(pulled / name)
    assert stages_run(dvc(pulled, "repro")) == ["code", *rerun]


def test_an_edit_outside_the_pipeline_reruns_nothing(pulled: Path, dvc: Dvc) -> None:
    """No stage imports the service."""
    add_comment(pulled / "amlc/service/app.py")
    assert stages_run(dvc(pulled, "repro")) == []


def add_comment(path: Path) -> None:
    """Change a module without changing what it does."""
    path.write_text(path.read_text() + "# A comment.\n")


def test_a_model_that_no_longer_runs_leaves_no_trace(
    pulled: Path, dvc: Dvc, tmp_path: Path
) -> None:
    """Its folder would be hashed too, and a clone could not reproduce the lock."""
    apply_overrides(str(pulled / "params.yaml"), ["models=[ridge]"])
    dvc(pulled, "repro")
    commit(pulled)
    second = clone(pulled, tmp_path / "third")
    assert run(second, ".ci/lock-is-current") == "dvc.lock is current.\n"
    assert [path.name for path in (pulled / "data/models").iterdir()] == ["ridge"]


def test_the_best_setting_of_a_search_scores_the_same_in_an_experiment(
    pulled: Path, dvc: Dvc
) -> None:
    """The printed command gives the printed score, to every digit."""
    output = dvc.module(pulled, "amlc", "search", "ridge", "--trials", "4")
    scored = re.search(r"SMAPE (\d+\.\d+), (\d+\.\d+) before", output)
    assert scored is not None
    assert scored[1] != scored[2]
    command = output.splitlines()[-1]
    assert command.startswith("dvc exp run -S train.ridge.")
    dvc.module(pulled, *shlex.split(command))
    products = read_products(pulled / "data/products.parquet", [ID, PRICE, "split"])
    train = train_rows(products)
    predicted = read_predictions(pulled / "data/models/ridge", products)[train]
    actual = np.log(products[PRICE].to_numpy()[train])
    assert f"{smape_of_logs(actual, predicted):.4f}" == scored[1]


def test_an_override_changes_one_line_of_the_parameters(tmp_path: Path) -> None:
    """No comment is lost and no list rewritten by `dvc exp run -S`."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    before = path.read_text().splitlines()
    apply_overrides(str(path), ["train.ridge.alpha=1.25"])
    after = path.read_text().splitlines()
    assert len(after) == len(before)
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ["    alpha: 1.25"]
