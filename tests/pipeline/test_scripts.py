"""The programs of benchmarks and tools."""

import argparse
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from amlc import params

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    path
    for folder in ("benchmarks", "tools")
    for path in sorted((ROOT / folder).glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
# What follows is not taken, because a command may start another one.
PROGRAM = re.compile(r"\bpython (?:(benchmarks/\w+\.py)|-m tools\.(\w+))(?=([^\n]*))")


class ParsedError(Exception):
    """A program has understood its command line."""


def commands() -> list[tuple[str, ...]]:
    """Return the command lines of the pages that start a benchmark or a tool."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES).replace("\\\n", " ")
    inline = [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", FENCED.sub("", text))]
    found = set()
    for line in [*"\n".join(FENCED.findall(text)).splitlines(), *inline]:
        # A benchmark that tools.record starts is a command, too.
        for command in PROGRAM.finditer(line):
            words = shlex.split(command[3], comments=True)
            found.add((command[1] or f"tools/{command[2]}.py", *words))
    # The one with NAME stands for others.
    return sorted(command for command in found if "NAME" not in command)


def start(script: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a program in this process, as Python does."""
    monkeypatch.syspath_prepend(str(script.parent))
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_program_says_how_it_is_used(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does nothing else then, also where what it measures is not installed."""
    with pytest.raises(SystemExit) as ended:
        start(script, ["--help"], monkeypatch)
    assert not ended.value.code
    assert capsys.readouterr().out.startswith("usage: ")


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_program_understands_the_documented_command(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its options are those of the program, also in blocks that nobody runs."""
    parse = argparse.ArgumentParser.parse_args

    def parse_alone(*arguments: Any, **options: Any) -> None:
        raise ParsedError(parse(*arguments, **options))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_alone)
    script, *words = command
    with pytest.raises(ParsedError):
        start(ROOT / script, words, monkeypatch)


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_documented_command_sets_parameters_that_exist(command: tuple[str, ...]) -> None:
    """Where there is none, this raises an error. Those of fusion are in its section."""
    prefix = "train.fusion." if "fusion.py" in command[0] else ""
    for key in re.findall(r"(?:^|\n)([a-z][\w.]*)=", "\n".join(command[1:])):
        params.value(prefix + key, ROOT / "params.yaml")
