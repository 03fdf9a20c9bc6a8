"""dvc.yaml agrees with what the stages do."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from amlc.features.block_names import BLOCKS, ENCODERS
from amlc.features.blocks import block_path
from amlc.import_closure import imported_files
from amlc.models.registry import module_path
from amlc.pricing.bundle import PARAMS as PARAMS_OF_BUNDLE

ROOT = Path(__file__).parents[2]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
MODELS: list[str] = PARAMS["models"]
# The sections that no result depends on.
WITHOUT_EFFECT = {"executor", "fetching"}


def definition(stage: str) -> dict[str, Any]:
    """Return a stage's definition, which is one level deeper if it runs once per model."""
    content: dict[str, Any] = STAGES[stage]
    template: dict[str, Any] = content.get("do", content)
    return template


def names(value: Any) -> set[str]:
    """Return the paths of outputs or metrics, written plain or with flags."""
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in value}


def uncached(value: Any) -> set[str]:
    """Return the paths of outputs that git keeps."""
    return {
        name
        for entry in value
        if isinstance(entry, dict)
        for name, flags in entry.items()
        if flags.get("cache") is False
    }


def cached(value: Any) -> set[str]:
    """Return the paths of outputs that DVC keeps."""
    return names(value) - uncached(value)


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "code"])
def test_a_stage_depends_on_the_list_of_the_code_that_it_runs(stage: str) -> None:
    """DVC notices an edit of code only by this list."""
    content = definition(stage)
    each = stage == "train"
    assert content["cmd"] == f"python -m stages.{stage}{' ${item}' if each else ''}"
    code = [dep for dep in content["deps"] if dep.startswith("data/code") or dep.endswith(".py")]
    assert code == [f"data/code/{stage}{'.${item}' if each else ''}.txt"]


def test_a_model_depends_on_the_list_of_its_own_features() -> None:
    """The list changes with the blocks that params.yaml names, and with what they contain."""
    assert features(definition("train")["deps"]) == set()
    assert "data/inputs/${item}.txt" in definition("train")["deps"]


def test_the_lists_of_features_depend_on_every_block() -> None:
    """A block that the stage `inputs` does not depend on would be listed as it was before."""
    made = {
        name for stage in STAGES for name in features(cached(definition(stage).get("outs", [])))
    }
    assert features(definition("inputs")["deps"]) == made
    assert {block_path(Path(), name).name for name in BLOCKS} | {ENCODERS} == made


def features(paths: Iterable[str]) -> set[str]:
    """Return the names of those files that are feature blocks."""
    return {Path(path).name for path in paths if path.startswith("data/features/")}


def test_the_lists_are_written_again_when_any_code_changes_that_a_stage_imports() -> None:
    """A module that the stage `code` does not depend on hides its edits from DVC."""
    models = [module_path(name) for name in MODELS]
    scripts = [Path(f"stages/{stage}.py") for stage in STAGES]
    watched = {Path(dep) for dep in definition("code")["deps"]}
    missed = [
        path
        for path in imported_files(ROOT, scripts + models)
        if watched.isdisjoint({path, *path.parents})
    ]
    assert missed == []


@pytest.mark.parametrize("path", sorted((ROOT / "stages").glob("*.py")), ids=lambda path: path.name)
def test_a_stage_script_is_short(path: Path) -> None:
    """Longer code belongs to amlc."""
    assert len(path.read_text().splitlines()) <= 65


def test_every_stage_has_a_script_and_a_description() -> None:
    """`dvc stage list` is a table of contents."""
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert set(STAGES) == scripts
    assert all(definition(stage)["desc"] for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_results_lie_where_the_design_says(stage: str) -> None:
    """DVC tracks what is under data/, git what is under metrics/."""
    content = definition(stage)
    assert all(name.startswith("data/") for name in cached(content.get("outs", [])))
    kept = [*uncached(content.get("outs", [])), *names(content.get("metrics", []))]
    assert all(name.startswith("metrics/") for name in kept)


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_exists(stage: str) -> None:
    """A misspelt key would never trigger a rerun."""
    for key in definition(stage).get("params", []):
        for model in MODELS:
            node: Any = PARAMS
            for part in key.replace("${item}", model).split("."):
                assert part in node, key
                node = node[part]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_every_parameter_that_its_script_reads(stage: str) -> None:
    """A parameter left out changes nothing until something else reruns the stage."""
    model = MODELS[0]
    read = {key.replace("{name}", model) for key in parameters_read(stage)}
    listed = {key.replace("${item}", model) for key in definition(stage).get("params", [])}
    leaves = {leaf for key in read - WITHOUT_EFFECT for leaf in below(key)}
    assert {leaf for leaf in leaves if not prefixes(leaf) & listed} == set()


def test_a_bundle_lists_every_parameter_that_it_holds() -> None:
    """Prices depend on them."""
    assert set(PARAMS_OF_BUNDLE) <= set(definition("bundle")["params"])


def test_no_stage_reruns_for_how_something_is_computed() -> None:
    """Where pieces are computed and how pictures are fetched changes no result."""
    assert set().union(*map(parameters_read, STAGES)) >= WITHOUT_EFFECT
    listed = {key for stage in STAGES for key in definition(stage).get("params", [])}
    assert not {key.split(".")[0] for key in listed} & WITHOUT_EFFECT


def parameters_read(stage: str) -> set[str]:
    """Return the keys that a stage's script asks `amlc.params` for."""
    keys: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / f"stages/{stage}.py").read_text())):
        match node:
            case ast.Call(func=ast.Attribute(ast.Name("params"), "seed" | "threads" as name)):
                keys.add(name)
            case ast.Call(func=ast.Attribute(ast.Name("params"), "load" | "value"), args=args):
                keys.add(ast.unparse(args[-1]).removeprefix("f").strip("'\""))
    return keys


def below(key: str) -> set[str]:
    """Return the leaves of params.yaml that a key names."""
    node: Any = PARAMS
    for part in key.split("."):
        node = node[part]
    return (
        {leaf for name in node for leaf in below(f"{key}.{name}")}
        if isinstance(node, dict)
        else {key}
    )


def prefixes(key: str) -> set[str]:
    """Return a key and all that lies above it."""
    parts = key.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def test_git_ignores_every_output() -> None:
    """Otherwise DVC writes a .gitignore beside it, which ends up in the hash of its folder."""
    made = {name for stage in STAGES for name in cached(definition(stage).get("outs", []))}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    roots = {"/".join(name.split("/")[:2]) for name in made}
    assert {name for name in roots if not {f"/{name}", f"/{name}/"} & set(ignored)} == set()
