"""A blend as it is saved, loaded and applied."""

from pathlib import Path

import numpy as np
import pytest

from amlc.errors import ModelError
from amlc.models.blend import Blend

BLEND = Blend(
    weights={"z": 0.5, "a": 0.2, "m": 0.3},
    centers=[1.0, 2.0],
    shift=[0.1, -0.1],
    limit_centers=[1.0, 3.0],
    low=[-0.5, -0.25],
    high=[0.5, 1.0],
    scaled=False,
)


def test_limits_and_shifts_are_interpolated_between_the_bands() -> None:
    """They are constant outside."""
    log_price = BLEND.log_price(np.array([[1.5] * 3, [9.0] * 3]))
    np.testing.assert_allclose(log_price, [1.5, 8.9])
    intervals = BLEND.interval(np.array([2.0, 9.0]))
    np.testing.assert_allclose(intervals, [[2.0, 1.625, 2.75], [9.0, 8.75, 10.0]])


def test_saved_blend_predicts_the_same(tmp_path: Path) -> None:
    """A saved blend has all that its predictions need, including the order of the members."""
    BLEND.save(tmp_path / "blend.json")
    again = Blend.load(tmp_path / "blend.json")
    assert again == BLEND
    assert list(again.weights) == ["z", "a", "m"]


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"weights": 3}'])
def test_broken_blend_is_refused(tmp_path: Path, content: str | None) -> None:
    """The error names the file."""
    path = tmp_path / "blend.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelError, match=r"blend\.json: no saved blend"):
        Blend.load(path)


def test_wrong_number_of_members() -> None:
    """The number of columns must match the number of weights."""
    with pytest.raises(ModelError, match="expected 3 members"):
        BLEND.log_price(np.zeros((4, 2)))
