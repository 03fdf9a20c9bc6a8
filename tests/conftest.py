"""Fixtures for tests of several folders."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from amlc import numerics  # noqa: F401 - before NumPy, as in the stages
from tests.helpers.tiny import run_pipeline

# Servers of the tests are on this machine, and no hook's repository is meant by their commands.
for _name in list(os.environ):
    if _name.lower() in {"all_proxy", "http_proxy", "https_proxy"} or _name in {
        *("GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"),
        *("GIT_PREFIX", "GIT_WORK_TREE"),
    }:
        del os.environ[_name]
# Nor do the hooks and signatures of whoever runs the tests belong to their commits.
for _key, _value in (("commit.gpgSign", "false"), ("core.hooksPath", os.devnull)):
    _count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    os.environ[f"GIT_CONFIG_KEY_{_count}"], os.environ[f"GIT_CONFIG_VALUE_{_count}"] = _key, _value
    os.environ["GIT_CONFIG_COUNT"] = str(_count + 1)

# On a busy machine, any example can take long.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start files with slow tests first, so that no worker waits for another at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder ``data`` of a small pipeline with its bundle; tests must not change it."""
    return run_pipeline(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="session")
def competition() -> Path:
    """Return the folder of the competition's files, or skip the test where it is not known."""
    folder = os.environ.get("AMLC_COMPETITION")
    if not folder:
        pytest.skip("AMLC_COMPETITION names no folder with the competition's files")
    # Tests change the working folder.
    return Path(folder).resolve()
