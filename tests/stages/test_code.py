"""The lists of the code that each stage runs."""

import shutil
from pathlib import Path

import pytest

from amlc.errors import CheckError, ParamsError
from stages import code

ROOT = Path(__file__).parents[2]
LISTS = Path("data/code")


@pytest.fixture(autouse=True)
def _copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a copy of the code."""
    for name in ("amlc", "stages"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)


def lists() -> dict[str, str]:
    """Make the lists and return their content by name."""
    code.main()
    return {path.stem: path.read_text() for path in LISTS.iterdir()}


def replace(path: Path, old: str, new: str) -> None:
    """Replace what stands in a file once."""
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("stages/blend.py", {"blend"}),
        ("amlc/synthetic/words.py", {"synthetic"}),
        ("amlc/features/vision/scene.py", {"vision", "bundle"}),
        ("amlc/models/linear.py", {"train.linear", "train.ridge", "guards"}),
        ("amlc/models/boosting.py", {"train.lightgbm", "train.xgboost"}),
        ("amlc/report/figures.py", {"report"}),
        ("amlc/pricing/bundle.py", {"bundle"}),
        ("amlc/cli.py", set()),
    ],
)
@pytest.mark.parametrize("text", ["# A comment.\n", "def (\n"], ids=["comment", "fault"])
def test_an_edit_changes_the_lists_of_the_stages_that_reach_it(
    edited: str, changed: set[str], text: str
) -> None:
    """No other stage reruns, not even where the file is no Python at the moment."""
    before = lists()
    path = Path(edited)
    path.write_text(path.read_text() + text)
    after = lists()
    assert {name for name in before if before[name] != after[name]} == changed


def test_every_stage_lists_its_script_and_what_all_of_them_need() -> None:
    """A stage whose list lacks them would never rerun."""
    for name, text in lists().items():
        paths = {line.split("  ")[1] for line in text.splitlines()}
        assert {f"stages/{name.split('.')[0]}.py", "amlc/errors.py"} <= paths


def test_a_module_that_dvc_does_not_watch_is_refused() -> None:
    """Its edits would go unnoticed."""
    replace(Path("dvc.yaml"), "      - amlc/images\n", "")
    with pytest.raises(CheckError, match=r"stage code: amlc/images/__init__\.py, .* more"):
        code.main()


def test_a_model_without_a_module_is_named() -> None:
    """No traceback."""
    replace(Path("params.yaml"), "models:\n- linear\n", "models:\n- linaer\n")
    with pytest.raises(ParamsError, match="unknown linaer"):
        code.main()
