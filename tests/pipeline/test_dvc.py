"""dvc.yaml says what the stages do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from amlc.closure import reached

ROOT = Path(__file__).parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
MODELS: list[str] = PARAMS["models"]
# Programs beside the stages that a person starts, and no pipeline.
BY_HAND = {"search"}


def definition(stage: str) -> dict[str, Any]:
    """Return a stage's definition, also of one that is made for each model."""
    content: dict[str, Any] = STAGES[stage]
    return content.get("do", content)


def names(value: Any) -> set[str]:
    """Return the paths of outputs or metrics, written plain or with flags."""
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in value}


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "code"])
def test_a_stage_depends_on_the_list_of_the_code_that_it_runs(stage: str) -> None:
    """Nothing else tells DVC of an edit."""
    content = definition(stage)
    each = stage == "train"
    assert content["cmd"] == f"python -m stages.{stage}{' ${item}' if each else ''}"
    code = [dep for dep in content["deps"] if dep.startswith("data/code") or dep.endswith(".py")]
    assert code == [f"data/code/{stage}{'.${item}' if each else ''}.txt"]


def test_the_lists_are_made_anew_when_any_code_changes_that_a_stage_reaches() -> None:
    """A module that the stage `code` does not depend on hides its edits from DVC."""
    models = [Path(f"amlc/models/{name}.py") for name in MODELS]
    scripts = [Path(f"stages/{stage}.py") for stage in STAGES]
    watched = {Path(dep) for dep in definition("code")["deps"]}
    missed = [
        path
        for path in reached(ROOT, scripts + models)
        if watched.isdisjoint({path, *path.parents})
    ]
    assert missed == []


@pytest.mark.parametrize("path", sorted((ROOT / "stages").glob("*.py")), ids=lambda path: path.name)
def test_a_stage_script_is_short(path: Path) -> None:
    """What is longer belongs to amlc."""
    assert len(path.read_text().splitlines()) <= 65


def test_every_stage_has_a_script_and_a_description() -> None:
    """`dvc stage list` is a table of contents."""
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__", *BY_HAND}
    assert set(STAGES) == scripts
    assert all(definition(stage)["desc"] for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_results_lie_where_the_design_says(stage: str) -> None:
    """DVC tracks what is under data/, git what is under metrics/."""
    content = definition(stage)
    assert all(name.startswith("data/") for name in names(content.get("outs", [])))
    assert all(name.startswith("metrics/") for name in names(content.get("metrics", [])))


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_exists(stage: str) -> None:
    """A misspelt key would never trigger a rerun."""
    for key in definition(stage).get("params", []):
        for model in MODELS:
            node: Any = PARAMS
            for part in key.replace("${item}", model).split("."):
                assert part in node, key
                node = node[part]


def test_git_ignores_every_output() -> None:
    """Else DVC writes a .gitignore beside it, which ends up in the hash of its folder."""
    made = {name for stage in STAGES for name in names(definition(stage).get("outs", []))}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    roots = {"/".join(name.split("/")[:2]) for name in made}
    assert {name for name in roots if not {f"/{name}", f"/{name}/"} & set(ignored)} == set()
