"""Settings that contradict each other are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from amlc import params
from amlc.models.fusion.settings import FusionSettings
from tests.helpers.fusion import LAYOUT, settings

TEXT = {"model": "m", "revision": None, "pooling": "mean", "tokens": 24, "layouts": [LAYOUT]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": None}, "at least one tower"),
        ({"blocks": ["tabular", "terms"]}, "expected no terms"),
        ({"text": {**TEXT, "layouts": [["title", "title"]]}}, "each part once"),
        ({"text": {**TEXT, "layouts": []}}, "layouts"),
        ({"accumulation": 17}, "at most batch_size"),
        ({"devices": ["cpu", "cuda:0"]}, "either cpu or CUDA"),
        ({"devices": ["cuda:0", "cuda:0"]}, "each device once"),
        ({"devices": ["auto"]}, "devices"),
        ({"precision": "auto"}, "precision"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    """The message names what was expected."""
    with pytest.raises(ValidationError, match=message):
        settings(**{"text": TEXT, **changes})


def test_devices_and_checkpoints_do_not_change_what_is_trained() -> None:
    """A checkpoint stays valid when they change."""
    first = settings(text=TEXT)
    second = settings(text=TEXT, devices=["cuda:1"], checkpoints={"days": 3.0})
    assert first.trained() == second.trained()
    assert first.trained() != settings(text=TEXT, epochs=7).trained()


def test_the_section_of_params_yaml_is_valid() -> None:
    """Nothing else reads it as long as the model is not in `models`."""
    assert params.load(FusionSettings, "train.fusion").text is not None
