"""The values that a search may try."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.errors import ParamsError
from amlc.models.search_space import SearchSettings, draw, model_spaces, override, stored
from amlc.params import check
from tests.helpers.learning import SECTIONS

ALPHA = {"low": 0.5, "high": 50.0, "log": True}


def settings(spaces: dict[str, Any], **changes: Any) -> SearchSettings:
    """Return the section `search` with some spaces."""
    raw = {"n_trials": 4, "n_startup_trials": 2, "spaces": spaces, **changes}
    return check(SearchSettings, raw, "search", Path("params.yaml"))


def spaces(model: str, **raw: Any) -> Any:
    """Return one model's checked spaces."""
    return model_spaces(settings({model: raw}), model, SECTIONS[model])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"low": 1, "high": 5.0, "log": False}, "both whole or both with a point"),
        ({"low": 5.0, "high": 5.0, "log": False}, "low below high"),
        ({"low": 0, "high": 5, "log": True}, "low above 0"),
        ({"low": 0.0, "high": 5.0, "log": False}, "low of 0.0001 or more"),
        ({"low": 1.0, "high": 5.0}, "log: missing key"),
        ({"low": 1.0, "high": 5.0, "log": False, "step": 1}, "step: unknown key"),
        ([1.0], "at least 2"),
    ],
)
def test_a_faulty_space_is_refused(raw: Any, message: str) -> None:
    """The error names the parameter and the expected values."""
    with pytest.raises(ParamsError, match=rf"search\.spaces\.ridge\.alpha.*{message}"):
        settings({"ridge": {"alpha": raw}})


def test_a_parameter_that_the_model_does_not_have_is_refused() -> None:
    """A search of a misspelt parameter would have no effect."""
    with pytest.raises(ParamsError, match=r"(?s)search\.spaces\.ridge\.alfa: .*unknown key"):
        spaces("ridge", alfa=ALPHA)


def test_an_end_that_the_model_refuses_is_refused_before_the_search() -> None:
    """A search does not fail after an hour because of the end of a range."""
    with pytest.raises(
        ParamsError, match=r"(?s)search\.spaces\.forest\.max_features: .*train\.forest"
    ):
        spaces("forest", max_features={"low": 0.1, "high": 1.1, "log": False})


def test_an_option_that_the_model_refuses_is_refused() -> None:
    """Each value in a list is checked."""
    with pytest.raises(ParamsError, match=r"train\.lightgbm\.blocks"):
        spaces("lightgbm", blocks=[["tabular"], ["tabular", "terms"]])


def test_a_model_without_a_space_is_refused() -> None:
    """There is nothing to search."""
    with pytest.raises(ParamsError, match=r"search\.spaces\.ridge: expected"):
        model_spaces(settings({}), "ridge", SECTIONS["ridge"])


@given(st.floats(0.5, 50.0))
def test_a_drawn_number_is_one_that_can_be_written_and_read_back(number: float) -> None:
    """It has few digits, lies in its range, and equals the value in the text of an override."""
    checked = spaces("ridge", alpha=ALPHA)
    drawn = draw(optuna.trial.FixedTrial({"alpha": number}), checked)["alpha"]
    assert float(override(drawn)) == drawn
    assert len(override(drawn).replace(".", "").strip("0")) <= 4
    assert 0.5 <= drawn <= 50.0


def test_whole_numbers_stay_whole() -> None:
    """A setting that is an integer refuses 8.0."""
    checked = spaces("lightgbm", num_leaves={"low": 2, "high": 9, "log": True})
    drawn = draw(optuna.trial.FixedTrial({"num_leaves": 8}), checked)
    assert repr(drawn) == "{'num_leaves': 8}"


def test_a_list_can_be_an_option() -> None:
    """Layers and blocks are lists, which Optuna stores as text."""
    checked = spaces("mlp", hidden_layer_sizes=[[16, 8], [32]])
    trial = optuna.trial.FixedTrial({"hidden_layer_sizes": json.dumps([32])})
    assert draw(trial, checked) == {"hidden_layer_sizes": [32]}


def test_present_values_inside_the_spaces_are_stored_as_drawn() -> None:
    """The first trial has the present values."""
    checked = spaces(
        "mlp", hidden_layer_sizes=[[16, 8], [32]], epochs={"low": 2, "high": 9, "log": False}
    )
    kept = stored({"hidden_layer_sizes": [16, 8], "epochs": 6}, checked)
    assert kept is not None
    assert draw(optuna.trial.FixedTrial(kept), checked) == {
        "hidden_layer_sizes": [16, 8],
        "epochs": 6,
    }


@pytest.mark.parametrize("values", [{"alpha": 99.0}, {"alpha": None}])
def test_present_values_outside_the_spaces_are_not_tried(values: dict[str, Any]) -> None:
    """The sampler could not use them."""
    assert stored(values, spaces("ridge", alpha=ALPHA)) is None
