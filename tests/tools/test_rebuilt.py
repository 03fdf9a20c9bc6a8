"""The gate's comparison of a rebuilt pipeline with the committed one."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from amlc.errors import CheckError, DataError
from tools import rebuilt

HERE = rebuilt.kind_of_arithmetic()
ELSEWHERE = {**HERE, "machine": "pdp11"}


def lock(code: str = "c0", data: str = "d0", seed: int = 20) -> str:
    """Return the text of a dvc.lock."""
    stage = {
        "cmd": "python -m stages.vision",
        "deps": [
            {"path": "data/code/vision.txt", "md5": code, "size": 1},
            {"path": "data/images", "md5": data, "size": 2},
        ],
        "params": {"params.yaml": {"seed": seed}},
        "outs": [{"path": "data/features/vision.npy", "md5": data, "size": 3}],
    }
    return yaml.safe_dump({"schema": "2.0", "stages": {"vision": stage}})


def write(root: Path, name: str, content: Any) -> None:
    """Write a file of text, or of JSON."""
    (root / name).parent.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (root / name).write_text(text)


def git(root: Path, *arguments: str) -> None:
    """Run git with a fixed author."""
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *person, *arguments], cwd=root, check=True, capture_output=True)


def repository(root: Path, kind: dict[str, Any]) -> Path:
    """Commit a pipeline that was rebuilt on a machine of this kind."""
    write(root, "dvc.lock", lock())
    write(root, "metrics/metrics.json", {"smape": 44.0346, "models": {"mlp": 49.887}})
    write(root, "metrics/models.csv", "model,smape\nblend,44.0346\n")
    write(root, "metrics/details.json", {"coverage": 80.75})
    write(root, ".ci/arithmetic.json", kind)
    write(root, "params.yaml", "seed: 20\n")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "pipeline")
    return root


@pytest.mark.parametrize("kind", [HERE, ELSEWHERE])
def test_the_same_files_pass_everywhere(tmp_path: Path, kind: dict[str, Any]) -> None:
    """Nothing has to be compared by number."""
    assert "the same dvc.lock" in rebuilt.check(repository(tmp_path, kind))


def test_a_last_bit_fails_on_the_same_kind_of_machine(tmp_path: Path) -> None:
    """There, the files must be the same, byte for byte."""
    write(repository(tmp_path, HERE), "dvc.lock", lock(data="d1"))
    with pytest.raises(CheckError, match=r"changed tracked files: dvc\.lock"):
        rebuilt.check(tmp_path)


def test_rounding_passes_on_another_kind_of_machine(tmp_path: Path) -> None:
    """Hashes of data, details and tables may differ, and metrics after their fourth digit."""
    write(repository(tmp_path, ELSEWHERE), "dvc.lock", lock(data="d1"))
    write(tmp_path, "metrics/metrics.json", {"smape": 44.0348, "models": {"mlp": 49.8868}})
    write(tmp_path, "metrics/models.csv", "model,smape\nblend,44.0348\n")
    write(tmp_path, "metrics/details.json", {"coverage": 80.55})
    rebuilt.record(tmp_path)
    assert rebuilt.check(tmp_path).endswith("with other arithmetic: machine.")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "metrics/metrics.json",
            {"smape": 43.86, "models": {"mlp": 49.887}},
            r"metrics\.json: smape: 44\.0346, now 43\.86$",
        ),
        (
            "metrics/metrics.json",
            {"smape": 44.0346, "models": {}},
            r"models: mlp: 49\.887, now None$",
        ),
        ("dvc.lock", lock(code="c1"), r"vision: deps: data/code/vision\.txt: c0, now c1$"),
        ("dvc.lock", lock(seed=21), r"params: params\.yaml: seed: 20, now 21$"),
        ("params.yaml", "seed: 21\n", r"params\.yaml: changed$"),
    ],
)
def test_more_than_rounding_fails_on_another_kind_of_machine(
    tmp_path: Path, name: str, content: Any, message: str
) -> None:
    """Other scores, and what is no number and no hash of data, are named."""
    write(repository(tmp_path, ELSEWHERE), name, content)
    with pytest.raises(CheckError, match=message):
        rebuilt.check(tmp_path)


def test_a_standard_error_may_differ_as_scores_do() -> None:
    """It is a difference between scores, whose own four digits are more than its first two."""
    assert not list(rebuilt.differences({"smape_se": 0.8278}, {"smape_se": 0.8307}, "m"))
    assert list(rebuilt.differences({"smape_se": 0.8278}, {"smape_se": 0.8478}, "m"))


def test_a_metric_that_was_not_written_fails(tmp_path: Path) -> None:
    """A file that the rebuild has not written is missing, on every kind of machine."""
    (repository(tmp_path, ELSEWHERE) / "metrics/models.csv").unlink()
    with pytest.raises(CheckError, match=r"models\.csv: missing"):
        rebuilt.check(tmp_path)


def test_the_kind_is_recorded_with_a_new_lock(tmp_path: Path) -> None:
    """As long as dvc.lock is the committed one, its kind stays."""
    path = repository(tmp_path, ELSEWHERE) / ".ci/arithmetic.json"
    rebuilt.record(tmp_path)
    assert json.loads(path.read_text()) == ELSEWHERE
    write(tmp_path, "dvc.lock", lock(data="d1"))
    rebuilt.record(tmp_path)
    assert json.loads(path.read_text()) == HERE


def test_a_folder_without_git_is_left_alone(tmp_path: Path) -> None:
    """There is nothing to record in a downloaded archive, and nothing to compare with."""
    rebuilt.record(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="git status failed"):
        rebuilt.check(tmp_path)


def test_the_repository_names_its_kind() -> None:
    """The committed file has the entries that are compared."""
    root = Path(__file__).parents[2]
    assert json.loads((root / rebuilt.KIND).read_text()).keys() == HERE.keys()
