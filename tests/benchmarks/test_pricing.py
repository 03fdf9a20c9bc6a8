"""Pricing without the service."""

import argparse
import subprocess
from collections.abc import Callable
from pathlib import Path

import pricing
import pytest


def test_the_command_finds_the_bundle_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs in the repository's folder, wherever the benchmark was started."""
    commands: list[list[str]] = []
    monkeypatch.chdir(tmp_path)
    seconds = iter([1.0, 3.0])

    def elapsed(work: Callable[[], object]) -> float:
        work()
        return next(seconds)

    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(pricing, "elapsed", elapsed)
    rate = pricing.command(argparse.Namespace(bundle=Path("bundle"), workers=1), ["Tea"])
    assert all(
        command[command.index("--bundle") + 1] == str(tmp_path / "bundle") for command in commands
    )
    assert (len(commands), rate) == (2, pricing.BATCH_COPIES / 2)
