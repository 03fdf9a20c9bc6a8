"""Settings for programs without a params.yaml are complete, and checked like any others."""

import pytest
from pydantic import ValidationError

from amlc.images.settings import serving_settings


def test_an_override_replaces_a_setting() -> None:
    """All other settings stay as they are."""
    default, changed = serving_settings(), serving_settings(tries=1)
    assert changed.tries == 1
    assert changed.model_copy(update={"tries": default.tries}) == default


@pytest.mark.parametrize("override", [{"tries": 0}, {"trise": 1}])
def test_an_invalid_override_is_refused(override: dict[str, object]) -> None:
    """A value out of range and an unknown name are errors."""
    with pytest.raises(ValidationError):
        serving_settings(**override)
