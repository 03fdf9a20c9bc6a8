"""What tests of several folders share."""

from pathlib import Path

import pytest

from tests.helpers.tiny import run_pipeline


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder ``data`` of a whole small pipeline, bundle included; look, do not touch."""
    return run_pipeline(tmp_path_factory.mktemp("pipeline"))
