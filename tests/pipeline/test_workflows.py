"""The workflows and scripts of continuous integration."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# Beside them lies arithmetic.json.
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if not path.suffix)


def jobs(workflow: Path) -> dict[str, Any]:
    """Return a workflow's jobs."""
    content: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    return content


def steps(workflow: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in jobs(workflow).values() for step in job["steps"]]


def parses(script: str) -> bool:
    """Return whether Bash can parse a script."""
    return subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_of_a_workflow_is_a_shell_script_that_parses(workflow: Path) -> None:
    """A typing error is noticed before the push."""
    assert all(parses(step["run"]) for step in steps(workflow) if "run" in step)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_scripts_contain_no_expressions(workflow: Path) -> None:
    """A branch name is passed in the environment, where the shell does not execute it."""
    assert not [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_githubs_own_and_pinned_by_commit(workflow: Path) -> None:
    """A tag can be moved to other code; a commit cannot, and a comment says which version it is."""
    used = re.findall(r"uses: *(.+)", workflow.read_text())
    assert len(used) == sum("uses" in step for step in steps(workflow))
    assert all(
        re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", name) for name in used
    )
    assert len(set(used)) == len({name.partition("@")[0] for name in used})


def test_the_tests_run_on_every_python_that_the_package_allows() -> None:
    """The classifiers of the package and the matrix name the same versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: "
    versions = [
        name.removeprefix(prefix) for name in project["classifiers"] if name.startswith(prefix)
    ]
    tests = jobs(ROOT / ".github/workflows/ci.yml")["tests"]
    assert tests["strategy"]["matrix"]["python"] == versions


# Whatever computes features, models or scores.
NUMERICAL = ["lightgbm", "numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "scipy"]
NUMERICAL += ["xgboost-cpu"]


LOCKS = [path for path in sorted(ROOT.glob("requirements*.txt")) if "container" not in path.name]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_python_computes_with_the_same_libraries(lock: Path) -> None:
    """A lock that takes another release for another Python gives other scores there."""
    found = re.findall(r"^([a-z-]+)==(.*) \\$", lock.read_text(), re.MULTILINE)
    for name in NUMERICAL:
        versions = [version for pinned, version in found if pinned == name]
        assert len(versions) == 1
        assert ";" not in versions[0]


def pins(lock: str) -> set[str]:
    """Return the releases that a lock file names."""
    return set(re.findall(r"^(\S+==[^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_container_computes_with_the_libraries_of_the_pipeline() -> None:
    """Other releases could give other prices."""
    assert pins("requirements-container.txt") <= pins("requirements-serve.txt")


def test_a_worker_computes_with_the_libraries_of_the_pipeline() -> None:
    """Another release could give another fit."""
    ours, workers = pins("requirements.txt"), pins("requirements-worker.txt")
    names = {pin.partition("==")[0] for pin in workers}
    assert set(NUMERICAL) <= names
    assert {pin for pin in ours if pin.partition("==")[0] in names} <= workers


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_token_may_read_unless_a_job_says_otherwise(workflow: Path) -> None:
    """Only the job that comments on pull requests may write."""
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    granted = [job.get("permissions", {}) for job in jobs(workflow).values()]
    writes = {name for grant in granted for name, may in grant.items() if may == "write"}
    assert writes <= {"pull-requests"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_ends(workflow: Path) -> None:
    """A hanging download does not block a runner for six hours."""
    assert all(job["timeout-minutes"] <= 60 for job in jobs(workflow).values())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_parses_and_may_be_run(script: Path) -> None:
    """The workflow calls them by their path."""
    assert parses(script.read_text())
    assert script.stat().st_mode & 0o100
