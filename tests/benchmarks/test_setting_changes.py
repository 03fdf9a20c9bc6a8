"""Settings that a benchmark changes."""

from typing import Any

import pytest
from setting_changes import changed, parse_changes

from amlc.errors import ParamsError


def test_settings_are_replaced_as_dvc_does() -> None:
    """The value is YAML, and the settings themselves stay."""
    settings = {"models": ["a"], "train": {"a": {"alpha": 1}}}
    assert changed(settings, parse_changes(["models=[a,b]", "train.a.alpha=2.5"])) == {
        "models": ["a", "b"],
        "train": {"a": {"alpha": 2.5}},
    }
    assert settings["models"] == ["a"]


@pytest.mark.parametrize("line", ["train.b.alpha=1", "train.a", "models.a=1", "=1"])
def test_a_setting_that_there_is_not_is_an_error(line: str) -> None:
    """A misspelt key would change nothing."""
    with pytest.raises(ParamsError, match="expected KEY=VALUE"):
        changed({"models": ["a"], "train": {"a": {"alpha": 1}}}, parse_changes([line]))


def test_settings_change_only_where_there_is_such_a_key() -> None:
    """A misspelt setting is an error instead of a measurement of something else."""
    settings: dict[str, Any] = {"train": {"mlp": {"networks": 4}}, "seed": 1}
    changes = parse_changes(["train.mlp.networks=1"])
    assert changed(settings, changes)["train"]["mlp"]["networks"] == 1
    assert settings["train"]["mlp"]["networks"] == 4
    with pytest.raises(ParamsError, match="no such setting"):
        changed(settings, {"train.mpl.networks": 1})
    with pytest.raises(ParamsError, match="expected KEY=VALUE"):
        parse_changes(["seed"])
