"""Programs without a params.yaml have defaults; what they change is checked as in the file."""

import pytest
from pydantic import ValidationError

from amlc.images.settings import FetchSettings, ImageSettings

PICTURE = {
    "size": 256,
    "quality": 90,
    "max_bytes": 20_000_000,
    "max_pixels": 25_000_000,
    "max_side": 65_535,
    "min_side": 8,
}


def test_a_change_replaces_a_default() -> None:
    """All other settings stay as they are."""
    default = ImageSettings.model_validate(PICTURE)
    changed = ImageSettings.model_validate({**PICTURE, "tries": 1})
    assert changed.tries == 1
    assert changed.model_copy(update={"tries": default.tries}) == default


@pytest.mark.parametrize("change", [{"tries": 0}, {"trise": 1}, {"size": 8}, {"workers": 1}])
def test_an_invalid_image_setting_is_refused(change: dict[str, object]) -> None:
    """A value out of range and an unknown name are errors."""
    with pytest.raises(ValidationError):
        ImageSettings.model_validate({**PICTURE, **change})


@pytest.mark.parametrize("change", [{"workers": 0}, {"read_seconds": 0.0}, {"tries": 1}])
def test_an_invalid_fetch_setting_is_refused(change: dict[str, object]) -> None:
    """What a picture is and how it is fetched are settings of different sections."""
    with pytest.raises(ValidationError):
        FetchSettings.model_validate(change)
