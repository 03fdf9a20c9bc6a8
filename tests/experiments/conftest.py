"""Fixtures for the tests of experiments."""

import shutil
from pathlib import Path

import pytest

from amlc.experiments.repository import Repository
from tests.helpers.revisions import add_experiment, make_repository


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with a run on main, a better and a worse experiment."""
    root = make_repository(tmp_path_factory.mktemp("made") / "repository")
    add_experiment(root, "fine-yak", noise=0.45, seed=2)
    add_experiment(root, "poor-gnu", noise=0.8, seed=3, threads=2)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that repository, which the test may change."""
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "global"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return Path(shutil.copytree(made, tmp_path / "repository", symlinks=True))


@pytest.fixture
def repository(root: Path) -> Repository:
    """Return it, opened."""
    return Repository(root)
