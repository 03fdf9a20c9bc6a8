"""A stage runs with the project's own Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from amlc import environment
from amlc.environment import use_own_python

ROOT = Path(__file__).parents[1]
FILES = ["amlc/__init__.py", "amlc/environment.py", "amlc/interrupts.py", "amlc/numerics.py"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with one stage, and a .venv whose Python prints its arguments."""
    for name in [*FILES, "stages/__init__.py"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "stages/hello.py").write_text("print('not started again')\n")
    (tmp_path / "dvc.yaml").touch()
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho own "$@"\n')
    python.chmod(0o755)
    return tmp_path


def start(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the stage with the Python of the tests."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "DVC_STAGE", environment.RESTARTED}
    }
    command = [sys.executable, "-m", "stages.hello", "a"]
    return subprocess.run(
        command, cwd=folder, env={**inherited, **variables}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip


def test_a_stage_of_another_python_starts_again_in_the_projects_own(project: Path) -> None:
    """With its arguments, and it says so."""
    done = start(project, DVC_STAGE="hello")
    assert done.stdout == "own -m stages.hello a\n"
    assert f"python is {sys.executable}: starting again with {project}" in done.stderr


def test_an_experiment_finds_the_python_of_its_repository(project: Path) -> None:
    """DVC runs it in a copy below the repository, which has no .venv."""
    copy = project / ".dvc/tmp/exps/one"
    for name in ("amlc", "stages"):
        shutil.copytree(project / name, copy / name)
    (copy / "dvc.yaml").touch()
    assert start(copy, DVC_STAGE="hello").stdout == "own -m stages.hello a\n"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"DVC_STAGE": "hello", "VIRTUAL_ENV": sys.prefix},
        {"DVC_STAGE": "hello", environment.RESTARTED: "1"},
    ],
    ids=["started by hand", "active environment", "started again"],
)
def test_a_python_that_was_chosen_stays(project: Path, variables: dict[str, str]) -> None:
    """Nothing is started a second time."""
    assert start(project, **variables).stdout == "not started again\n"


def test_a_virtual_environment_of_another_project_does_not_count(project: Path) -> None:
    """One in a folder above that has no dvc.yaml is not the project's."""
    (project / "dvc.yaml").unlink()
    assert start(project, DVC_STAGE="hello").stdout == "not started again\n"


def test_a_python_without_the_libraries_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says which Python it is and what to do."""
    monkeypatch.setattr(environment, "LIBRARY", "nowhere")
    with pytest.raises(SystemExit, match=r"python is .*, which has no nowhere: activate"):
        use_own_python(tmp_path)


def test_a_python_of_another_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says which version it is."""
    monkeypatch.setattr(environment, "OLDEST", (3, 99))
    with pytest.raises(SystemExit, match=rf"which is Python 3\.{sys.version_info.minor}: "):
        use_own_python(tmp_path)
