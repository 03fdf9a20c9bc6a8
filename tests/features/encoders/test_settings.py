"""The section `encoders` of params.yaml."""

from pathlib import Path
from typing import Any

import pytest

from amlc.errors import ParamsError
from amlc.features.encoders.settings import check_encoders

TEXT: dict[str, Any] = {
    "kind": "text",
    "model": "a/b",
    "revision": None,
    "pooling": "mean",
    "tokens": 128,
    "batch_size": 32,
    "precision": "float32",
}
IMAGE: dict[str, Any] = {
    **{key: value for key, value in TEXT.items() if key != "tokens"},
    "kind": "image",
    "architecture": None,
}


def check(section: Any) -> list[str]:
    """Return the names of the checked encoders."""
    return list(check_encoders(section, Path("params.yaml")))


def test_encoders_are_sorted_by_name() -> None:
    """The order in the file does not matter."""
    assert check({"words": TEXT, "pixels": IMAGE}) == ["pixels", "words"]


def test_no_encoders_are_valid() -> None:
    """An empty mapping is the default."""
    assert check({}) == []


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (None, "expected a mapping of names to encoders"),
        ([TEXT], "expected a mapping of names to encoders"),
        ({"a/b": TEXT}, "lower-case letters"),
        ({"../a": TEXT}, "lower-case letters"),
        ({1: TEXT}, "lower-case letters"),
        ({"a": {**TEXT, "kind": "sound"}}, "encoders.a: expected a mapping with kind"),
        ({"a": {**TEXT, "kind": ["text"]}}, "encoders.a: expected a mapping with kind"),
        ({"a": "b"}, "encoders.a: expected a mapping with kind"),
        ({"a": {**TEXT, "tokens": 0}}, "encoders.a.tokens: input should be greater"),
        ({"a": {**TEXT, "architecture": None}}, "encoders.a.architecture: unknown key"),
        ({"a": {**IMAGE, "tokens": 8}}, "encoders.a.tokens: unknown key"),
        ({"a": {**IMAGE, "architecture": "resnet"}}, "encoders.a.architecture"),
        ({"a": {"kind": "text"}}, "encoders.a.model: missing key"),
    ],
)
def test_invalid_sections_are_refused(section: Any, message: str) -> None:
    """The error has the key's path."""
    with pytest.raises(ParamsError, match=message):
        check(section)
