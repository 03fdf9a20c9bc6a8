"""A model is added as CONTRIBUTING.md says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from amlc.import_closure import imported_files
from stages import code

ROOT = Path(__file__).parents[2]
NAME = "elastic_net"
pytestmark = pytest.mark.slow


def block(language: str) -> str:
    """Return the walk-through's block of code in a language."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    walk_through = text[text.index("## Add a model") : text.index("## Rules")]
    match = re.search(rf"   ```{language}\n(.*?)   ```", walk_through, re.DOTALL)
    assert match
    return match[1]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the code without the new model."""
    for name in ("amlc", "stages", "tests"):
        # With the compiled modules, which stay valid.
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("dvc.yaml", "params.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def run(copy: Path, *command: str) -> None:
    """Run Python in the copy."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def code_lists(copy: Path) -> dict[str, str]:
    """Return the lists that the stage `code` wrote in the copy, by name."""
    return {path.stem: path.read_text() for path in (copy / "data/code").iterdir()}


def add_model(copy: Path) -> None:
    """Follow the walk-through."""
    (copy / f"amlc/models/{NAME}.py").write_text(dedent(block("python")))
    params = (copy / "params.yaml").read_text()
    params = params.replace("\ntrain:\n", f"\ntrain:\n{dedent_once(block('yaml'))}\n")
    params = params.replace("\nmodels:\n", f"\nmodels:\n- {NAME}\n")
    (copy / "params.yaml").write_text(params)


def dedent_once(text: str) -> str:
    """Remove the indentation of a list item."""
    return re.sub(r"^   ", "", text, flags=re.MULTILINE)


def test_a_new_model_reruns_no_other(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of code of all other stages stay the same, so DVC does not run them."""
    monkeypatch.chdir(copy)
    code.main()
    before = code_lists(copy)
    add_model(copy)
    run(copy, "-m", "stages.code")
    after = code_lists(copy)
    assert after.pop(f"train.{NAME}").count(f"amlc/models/{NAME}.py") == 1
    assert after == before


def test_a_new_model_joins_the_tests_of_every_model(copy: Path) -> None:
    """Without a line in them, and it passes."""
    add_model(copy)
    # Without the plug-ins, which take longer to import than the tests to run.
    options = ("-q", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider")
    run(copy, "-m", "pytest", *options, "-k", NAME, "tests/models/test_base.py")


@pytest.mark.parametrize("path", ["amlc/models/lgbm.py", "amlc/models/mlp/regressor.py"])
def test_no_model_imports_another(path: str) -> None:
    """A change of one model must not run another."""
    others = {"forest.py", "lgbm.py", "linear.py", "xgb.py", "regressor.py"} - {Path(path).name}
    assert not others & {file.name for file in imported_files(ROOT, [Path(path)])}
