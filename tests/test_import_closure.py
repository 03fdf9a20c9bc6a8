"""Which modules a script reaches."""

import subprocess
from pathlib import Path

import pytest

from amlc.import_closure import imported, listing, reached

FILES = {
    "amlc/__init__.py": "",
    "amlc/low.py": "import os\n",
    "amlc/odd.py": "def (",
    "amlc/part/__init__.py": "import amlc.low\n",
    "amlc/part/high.py": "def late():\n    from amlc import odd\n",
    "amlc/part/other.py": "",
    "stages/__init__.py": "",
    "stages/one.py": "from amlc.part.high import late\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project of a few modules."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_script_reaches_what_it_imports_and_what_that_imports(root: Path) -> None:
    """With every package on the way, whose import runs it, and imports inside functions."""
    found = {path.as_posix() for path in reached(root, [Path("stages/one.py")])}
    assert found == set(FILES) - {"amlc/part/other.py"}


def test_only_modules_of_the_project_are_imported(root: Path) -> None:
    """Neither another library nor a name inside a module is one."""
    assert imported(root, Path("amlc/low.py")) == set()
    assert imported(root, Path("stages/one.py")) == {"amlc.part.high"}


@pytest.mark.parametrize("text", ["def (", "x = '\0'"])
def test_a_file_that_is_no_python_imports_nothing(root: Path, text: str) -> None:
    """Who reaches it fails by itself, and nobody else."""
    (root / "amlc/low.py").write_text(text)
    assert imported(root, Path("amlc/low.py")) == set()


def test_an_edit_is_seen_at_once(root: Path) -> None:
    """A file's imports are those of its present content."""
    (root / "amlc/low.py").write_text("import amlc.part.other\n")
    assert Path("amlc/part/other.py") in reached(root, [Path("amlc/low.py")])


def test_a_listing_can_be_checked(root: Path) -> None:
    """By a program that everybody has."""
    text = listing(root, [Path("stages/one.py"), Path("amlc/odd.py")])
    check = ["sha256sum", "--check"]
    found = subprocess.run(check, cwd=root, input=text, capture_output=True, text=True, check=True)
    assert found.stdout == "amlc/odd.py: OK\nstages/one.py: OK\n"
