"""Imports as if a library were not there."""

import subprocess
import sys

import pytest

from amlc.models.optional import without


def test_a_library_is_there_again_afterwards() -> None:
    """Also after an error."""
    with pytest.raises(ImportError), without("amlc_no_such_library"):
        import amlc_no_such_library  # noqa: F401, PLC0415 - the import is what is tried
    assert "amlc_no_such_library" not in sys.modules


def test_a_library_that_is_loaded_stays() -> None:
    """Nobody loses what he has."""
    with without("json"):
        import json  # noqa: PLC0415 - the import is what is tried
    assert json.loads("1") == 1


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_a_model_that_is_loaded_needs_no_scikit_learn(name: str) -> None:
    """It would be most of the time that a service takes to start."""
    code = f"import sys, amlc.models.{name}; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
