"""Models are found by the names of their classes."""

from pathlib import Path
from typing import Any

import pytest

from amlc.errors import ModelError, ParamsError
from amlc.models.registry import MODELS, find_models, members, module_path, regressor


def test_a_class_with_a_name_is_a_model(tmp_path: Path) -> None:
    """Modules and packages are searched, in the order of names."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/__init__.py").write_text('class Base:\n    x = 1\n\n    name = "late"\n')
    (tmp_path / "one.py").write_text('class Own(Base):\n    name = "early"\n')
    found = {"early": "amlc.models.one.Own", "late": "amlc.models.pack.Base"}
    assert list(find_models(tmp_path).items()) == list(found.items())


def test_a_module_that_is_not_valid_python_hides_no_model(tmp_path: Path) -> None:
    """Only the stages that run it fail."""
    (tmp_path / "one.py").write_text('class Own:\n    name = "early"\ndef (\n')
    assert find_models(tmp_path) == {"early": "amlc.models.one.Own"}


def test_a_name_of_two_models_is_refused(tmp_path: Path) -> None:
    """The error says which classes have it."""
    for module in ("one", "two"):
        (tmp_path / f"{module}.py").write_text('class Own:\n    name = "mine"\n')
    with pytest.raises(ModelError, match=r"'mine': amlc\.models\.one\.Own and .*two\.Own"):
        find_models(tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_the_path_of_a_model_is_the_file_with_its_class(name: str) -> None:
    """The stage `code` starts from it."""
    class_name = MODELS[name].rpartition(".")[2]
    source = (Path(__file__).parents[2] / module_path(name)).read_text()
    assert f"\nclass {class_name}(" in source
    assert f'\n    name = "{name}"\n' in source


def test_unknown_model() -> None:
    """The error lists the known models."""
    with pytest.raises(ParamsError, match="'catboost'; models: forest, fusion, lightgbm"):
        regressor("catboost")


@pytest.mark.parametrize("names", [[], "mlp", ["mlp", "mlp"], ["mlp", "svm"], [1], [["mlp"]]])
def test_invalid_list_of_models(names: Any) -> None:
    """The list must name different known models."""
    with pytest.raises(ParamsError, match="models: "):
        members(names)


def test_list_of_models() -> None:
    """The order is kept."""
    assert members(["mlp", "linear"]) == ["mlp", "linear"]
