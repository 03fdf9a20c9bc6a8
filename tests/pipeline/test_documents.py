"""README.md, docs, and other files that a reader of the repository sees first."""

import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

import amlc
from amlc import params
from amlc.features.encoders.settings import read_encoders
from amlc.models.registry import members, regressor

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
# The changelog names what is gone.
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
SETTING = re.compile(r"-S '?(\+?)([a-z][\w.]*)=")
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def setting(path: str) -> Any:
    """Return a value of params.yaml; raise KeyError where there is none."""
    value: Any = PARAMS
    for key in path.split("."):
        value = value[key]
    return value


def experiments() -> list[tuple[str, ...]]:
    """Return what the documented `dvc exp run` set, but for grids."""
    text = "\n".join(page.read_text() for page in CURRENT).replace("\\\n", "")
    commands = [
        shlex.split(found, comments=True) for found in re.findall(r"dvc exp run ([^`\n]+)", text)
    ]
    found = {
        tuple(word for option, word in pairwise(words) if option == "-S" and "=" in word)
        for words in commands
        if "--queue" not in words
    }
    return sorted(found - {()})


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files exist, and so do the headings that links name."""
    for target, anchor in LINK.findall(page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


@pytest.mark.parametrize("page", CURRENT, ids=lambda path: path.name)
def test_commands_set_parameters_that_exist(page: Path) -> None:
    """A renamed parameter cannot stay in the documentation; `+` adds a key to an existing one."""
    for added, path in SETTING.findall(page.read_text()):
        setting(path.rpartition(".")[0] if added else path)


@pytest.mark.parametrize("overrides", experiments(), ids=" ".join)
def test_experiments_have_valid_settings(overrides: tuple[str, ...], tmp_path: Path) -> None:
    """What DVC makes of a documented command is what the models and the encoders accept."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    apply_overrides(str(path), list(overrides))
    for name in members(params.value("models", path)):
        params.load(regressor(name).settings_type, f"train.{name}", path)
    read_encoders(path)


@pytest.mark.parametrize("page", CURRENT, ids=lambda path: path.name)
def test_commands_name_scripts_and_targets_that_exist(page: Path) -> None:
    """So do the modules of tools, the benchmarks and the targets of the Makefile."""
    text = page.read_text()
    scripts = re.findall(r"\b((?:benchmarks|stages)/\w+\.py)", text)
    scripts += [f"tools/{name}.py" for name in re.findall(r"-m tools\.(\w+)", text)]
    assert all((ROOT / script).exists() for script in scripts), scripts
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^(?:\w+ )*{target}(?: \w+)*:", makefile, re.MULTILINE), target


def test_make_help_lists_every_target() -> None:
    """But for itself, and for a check that others need."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    targets = re.search(r"^\.PHONY:(.+)$", makefile, re.MULTILINE)
    assert targets
    listed = re.findall(r'@echo "make (\w+) ', makefile)
    assert sorted(listed) == sorted(set(targets[1].split()) - {"help", "check-python"})


def test_the_citation_names_the_version_of_the_package() -> None:
    """A citation of another version would send readers to other code."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == amlc.__version__
    newest = re.search(r"^## (\S+) - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest.groups() == (amlc.__version__, str(citation["date-released"]))


def test_an_issue_form_asks_with_unique_fields() -> None:
    """A forge shows no form in which two fields have one id or a field has no label."""
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text())
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
