"""Which executor a benchmark gets."""

from pathlib import Path

import pytest
import yaml
from executor_choice import chosen

from amlc.errors import ParamsError
from tests.helpers.learning import PARAMS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return this repository's params.yaml."""
    found = tmp_path / "params.yaml"
    found.write_text(yaml.safe_dump(PARAMS))
    return found


def test_the_executor_of_params_yaml_is_the_default(path: Path) -> None:
    """The option changes nothing but where pieces are computed."""
    default = chosen(None, path)
    assert default.kind == "threads"
    assert chosen("processes", path) == default.model_copy(update={"kind": "processes"})
    local = chosen("local:3", path)
    assert (local.kind, local.local_workers) == ("dask", 3)


@pytest.mark.parametrize("name", ["locl:3", "tcp://10.0.0.5:8786"])
def test_what_cannot_run_a_benchmark_is_refused(path: Path, name: str) -> None:
    """A misspelt name, and workers that have amlc but not its benchmarks."""
    with pytest.raises(ParamsError, match=f"^--executor: {name}: expected"):
        chosen(name, path)


def test_a_cluster_of_params_yaml_is_refused(path: Path) -> None:
    """The message names the file, as no option was given."""
    section = {**PARAMS["executor"], "kind": "dask", "scheduler": "tcp://10.0.0.5:8786"}
    path.write_text(yaml.safe_dump({**PARAMS, "executor": section}))
    with pytest.raises(ParamsError, match=r"params\.yaml: executor\.scheduler: tcp://10.*expected"):
        chosen(None, path)
