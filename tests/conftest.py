"""Fixtures for tests of several folders."""

from pathlib import Path

import pytest

from tests.helpers.tiny import run_pipeline


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder ``data`` of a small pipeline with its bundle; tests must not change it."""
    return run_pipeline(tmp_path_factory.mktemp("pipeline"))
