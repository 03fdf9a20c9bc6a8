"""Executors against threads: their settings, the table, the comparison of what was written."""

import shutil
from pathlib import Path

import executors
import pytest
from scale import Cost

from amlc.errors import CheckError


def test_the_table_compares_the_time_to_that_of_the_first() -> None:
    """By stage, and of all stages."""
    costs = [
        Cost(stage, 100, seconds, cpu, 1.0, 1.0, 1, 0.0, ())
        for stage, seconds, cpu in (
            *(("terms", 10.0, 10.0), ("terms", 12.0, 15.0)),
            *(("topics", 30.0, 50.0), ("topics", 30.0, 51.0)),
        )
    ]
    lines = executors.table(costs, ["threads", "local:2"]).splitlines()
    assert lines[2] == "| terms | 10.0 | 12.0 | 10.0 | 15.0 | +20% |"
    assert lines[-1] == "| all | 40.0 | 42.0 | 60.0 | 66.0 | +5% |"


def test_files_that_differ_are_found(tmp_path: Path) -> None:
    """In their bytes, or because there is no such file."""
    first, second = tmp_path / "first", tmp_path / "second"
    with pytest.raises(CheckError, match="written nothing"):
        executors.differing(first, second)
    for name in ("same", "other", "missing"):
        (first / "data").mkdir(parents=True, exist_ok=True)
        (first / "data" / name).write_text(name)
    shutil.copytree(first, second)
    assert executors.differing(first, second) == []
    (second / "data/other").write_text("OTHER")
    (second / "data/missing").unlink()
    assert executors.differing(first, second) == ["data/missing", "data/other"]
