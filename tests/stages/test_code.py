"""The lists of the code that each stage runs."""

import contextlib
import shutil
from pathlib import Path

import pytest

from amlc.errors import CheckError, ParamsError
from stages import code

ROOT = Path(__file__).parents[2]
LISTS = Path("data/code")


def copy_code(folder: Path) -> None:
    """Copy what the stage reads."""
    for name in ("amlc", "stages"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, folder / name)


@pytest.fixture(autouse=True)
def _copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a copy of the code."""
    copy_code(tmp_path)
    monkeypatch.chdir(tmp_path)


def lists() -> dict[str, str]:
    """Write the lists and return their contents by name."""
    code.main()
    return {path.stem: path.read_text() for path in LISTS.iterdir()}


@pytest.fixture(scope="module")
def unedited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the lists of the code as it is."""
    folder = tmp_path_factory.mktemp("unedited")
    copy_code(folder)
    with contextlib.chdir(folder):
        return lists()


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text that occurs once in a file."""
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
        ("amlc/models/xgb.py", {"train.xgboost"}),
        ("amlc/models/blend_fitting.py", {"blend"}),
        # The blend's spread is a LightGBM model.
        ("amlc/models/boosting.py", {"train.lightgbm", "train.xgboost", "blend", "bundle"}),
        ("amlc/report/figures.py", {"report"}),
        ("amlc/pricing/bundle.py", {"bundle"}),
        ("amlc/cli.py", set()),
    ],
)
@pytest.mark.parametrize("text", ["# A comment.\n", "def (\n"], ids=["comment", "error"])
def test_an_edit_changes_the_lists_of_the_stages_that_import_it(
    edited: str, changed: set[str], text: str, unedited: dict[str, str]
) -> None:
    """No other stage reruns, even if the edited file is not valid Python."""
    path = Path(edited)
    path.write_text(path.read_text() + text)
    after = lists()
    assert {name for name in unedited if unedited[name] != after[name]} == changed


def test_every_list_has_the_script_and_the_common_modules() -> None:
    """Otherwise the stage would not rerun after edits of these files."""
    for name, text in lists().items():
        paths = {line.split("  ")[1] for line in text.splitlines()}
        assert {f"stages/{name.split('.')[0]}.py", "amlc/errors.py"} <= paths


def test_a_module_outside_the_stage_code_is_refused() -> None:
    """DVC would not notice its edits."""
    replace(Path("dvc.yaml"), "      - amlc/images\n", "")
    with pytest.raises(CheckError, match=r"stage code: amlc/images/__init__\.py, .* more"):
        code.main()


def test_an_unknown_model_is_named() -> None:
    """A misspelt name in params.yaml gives an error message."""
    replace(Path("params.yaml"), "models:\n- linear\n", "models:\n- linaer\n")
    with pytest.raises(ParamsError, match="unknown linaer"):
        code.main()
