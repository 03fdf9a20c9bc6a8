"""The stages of dvc.yaml without DVC: their order, their settings, what they cost."""

import json
from pathlib import Path

import pipeline
import pytest
import yaml
from checkout import ROOT
from pipeline import COSTS, absolute, pictures_of, preset, reproduce, steps
from setting_changes import changed, parse_changes

from amlc import params
from amlc.errors import CheckError, ParamsError

STAGES = {
    "code": {"cmd": "python -m stages.code", "outs": ["data/code"]},
    "last": {
        "cmd": "python -m last",
        "deps": ["data/models", "data/code/last.txt"],
        "metrics": [{"metrics/last.json": {"cache": False}}],
    },
    "train": {
        "foreach": "${models}",
        "do": {
            "cmd": "python -m train ${item}",
            "deps": ["data/table"],
            "outs": ["data/models/${item}"],
        },
    },
    "prepare": {"cmd": "python -m prepare", "deps": ["${data.dir}"], "outs": ["data/table"]},
    "other": {"cmd": "python -m other", "deps": ["data/table"], "outs": ["data/other"]},
}
# Each module of the pipeline leaves its name, and that of its model.
MODULE = """
import pathlib, sys
with open("ran.txt", "a") as file:
    print(pathlib.Path(sys.argv[0]).stem, *sys.argv[1:], file=file)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a pipeline of four stages, which run as they are written."""
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    (tmp_path / "params.yaml").write_text("data: {dir: raw}\nmodels: [b, a]\n")
    for name in ("prepare", "train", "last"):
        (tmp_path / f"{name}.py").write_text(MODULE)
    return tmp_path


def test_a_step_comes_after_those_that_it_needs(folder: Path) -> None:
    """A stage for each model gives one step for each; other stages and `code` are left out."""
    ordered = steps(folder, "last")
    assert [step.name for step in ordered] == ["prepare", "train@b", "train@a", "last"]
    assert ordered[1].command == ("python", "-m", "train", "b")
    assert ordered[3].needs == {"train@b", "train@a"}
    assert [step.name for step in steps(folder, "other")] == ["prepare", "other"]


def test_an_unknown_stage_is_an_error(folder: Path) -> None:
    """The message has the stages that there are."""
    with pytest.raises(ParamsError, match=r"no stage blend in dvc\.yaml: code, last"):
        steps(folder, "blend")


def test_the_repositorys_stages_have_an_order() -> None:
    """The submission needs every model, and no report."""
    names = [step.name for step in steps(ROOT, "predict")]
    models = params.value("models", ROOT / "params.yaml")
    assert {f"train@{model}" for model in models} < set(names)
    assert names.index("prepare") < names.index("terms") < names.index("topics")
    assert names[-1] == "predict"
    assert not {"report", "bundle", "code"} & set(names)


def test_a_step_runs_once(folder: Path) -> None:
    """A second call takes its cost from the file and runs what is new."""
    kept = {"prepare": {"seconds": 2.0, "megabytes": 3.0}}
    (folder / COSTS).write_text(json.dumps(kept))
    costs = reproduce(folder, "last", jobs=2)
    assert list(costs) == ["prepare", "train@b", "train@a", "last"]
    assert costs["prepare"].measured() == kept["prepare"]
    assert costs["last"].seconds > 0
    ran = (folder / "ran.txt").read_text().splitlines()
    assert sorted(ran[:2]) == ["train a", "train b"]
    assert ran[2:] == ["last"]
    again = reproduce(folder, "last")
    assert {name: cost.measured() for name, cost in again.items()} == {
        name: cost.measured() for name, cost in costs.items()
    }


def test_a_failed_step_says_why(folder: Path) -> None:
    """The error has the end of what the stage wrote."""
    (folder / "prepare.py").write_text("raise SystemExit('error: no rows')")
    with pytest.raises(CheckError, match=r"prepare failed in .*\n.*no rows"):
        reproduce(folder, "last")


def test_presets_are_settings_that_exist() -> None:
    """All of them can be set; the default has none."""
    settings = params.read(ROOT / "params.yaml")
    assert preset("default") == []
    for name in ("quick", "best"):
        assert changed(settings, parse_changes(preset(name))) != settings
    with pytest.raises(ParamsError, match="no preset fast; known: default, best, quick"):
        preset("fast")


def test_folders_do_not_depend_on_the_current_one(tmp_path: Path) -> None:
    """Those of the synthetic catalogue stay in the copy, which makes it itself."""
    settings = {"data": {"dir": "raw"}, "images": {"mirror": "data/synthetic_images"}}
    moved = absolute(settings, tmp_path)
    assert moved["data"]["dir"] == str(tmp_path / "raw")
    assert moved["images"]["mirror"] == "data/synthetic_images"


def test_a_copy_has_the_code_and_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no results."""
    root = tmp_path / "root"
    (root / "amlc/__pycache__").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "dvc.yaml").write_text("stages: {}")
    monkeypatch.setattr(pipeline, "ROOT", root)
    pipeline.copy_code(tmp_path / "copy", {"seed": 3})
    copied = {path.name for path in (tmp_path / "copy").rglob("*")}
    assert copied == {"amlc", "dvc.yaml", "metrics", "params.yaml"}
    assert params.value("seed", tmp_path / "copy/params.yaml") == 3


def test_pictures_are_in_a_catalogues_folder_or_beside_the_synthetic_one(tmp_path: Path) -> None:
    """`make repro` writes them to data/synthetic_images, beside data/synthetic."""
    own, synthetic = tmp_path / "own", tmp_path / "synthetic"
    (tmp_path / "synthetic_images").mkdir()
    assert pictures_of(own) is None
    assert pictures_of(synthetic) == tmp_path / "synthetic_images"
    (own / "images").mkdir(parents=True)
    assert pictures_of(own) == own / "images"
