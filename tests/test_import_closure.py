"""The files that a script imports, directly or not."""

import subprocess
from pathlib import Path

import pytest

from amlc.import_closure import checksums, imported_files

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


def test_imports_of_imports_are_followed(root: Path) -> None:
    """Imports inside functions count, and so do the packages on the way, which are run as well."""
    files = {path.as_posix() for path in imported_files(root, [Path("stages/one.py")])}
    assert files == set(FILES) - {"amlc/part/other.py"}


@pytest.mark.parametrize("text", ["import os\n", "from os import path\n", "from . import part\n"])
def test_only_files_of_the_project_are_returned(root: Path, text: str) -> None:
    """Other libraries are left out, and so are relative imports, which the project does not use."""
    (root / "amlc/low.py").write_text(text)
    files = imported_files(root, [Path("amlc/low.py")])
    assert files == {Path("amlc/low.py"), Path("amlc/__init__.py")}


@pytest.mark.parametrize("text", ["def (", "x = '\0'"])
def test_a_file_that_is_not_valid_python_imports_nothing(root: Path, text: str) -> None:
    """Only the stages that run the file fail; listing the code does not."""
    (root / "amlc/low.py").write_text(text)
    files = imported_files(root, [Path("amlc/low.py")])
    assert files == {Path("amlc/low.py"), Path("amlc/__init__.py")}


def test_an_edit_is_seen_at_once(root: Path) -> None:
    """The imports are those of the file's current content."""
    (root / "amlc/low.py").write_text("import amlc.part.other\n")
    assert Path("amlc/part/other.py") in imported_files(root, [Path("amlc/low.py")])


def test_sha256sum_verifies_the_checksums(root: Path) -> None:
    """The format is the one that the coreutils program reads."""
    text = checksums(root, [Path("stages/one.py"), Path("amlc/odd.py")])
    command = ["sha256sum", "--check"]
    done = subprocess.run(command, cwd=root, input=text, capture_output=True, text=True, check=True)
    assert done.stdout == "amlc/odd.py: OK\nstages/one.py: OK\n"
