"""The generated parts of README.md and docs."""

from pathlib import Path

import pytest

from amlc.errors import DataError
from tools.docs import PAGES, main, render
from tools.parts import PARTS

ROOT = Path(__file__).parents[2]
PAGE = "README.md"
FAKE = {name: lambda _, name=name: f"the part {name}" for name in PARTS}
EMPTY = "".join(
    f"before\n<!-- generated: {name} -->\n<!-- end: {name} -->\n" for name in PAGES[PAGE]
)


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_what_make_docs_writes(page: str) -> None:
    """Numbers in the documentation cannot drift from metrics, records, dvc.yaml and code."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert render(page, text, ROOT) == text, "run make docs"


def test_every_part_is_on_one_page() -> None:
    """No part is made in vain, and none appears twice."""
    assert sorted(name for names in PAGES.values() for name in names) == sorted(PARTS)


def test_the_readme_has_at_most_150_lines() -> None:
    """It fits two screens; everything longer belongs to docs."""
    assert len((ROOT / PAGE).read_text(encoding="utf-8").splitlines()) <= 150


def test_only_the_parts_change() -> None:
    """The text around the parts stays, and a second run changes nothing."""
    once = render(PAGE, EMPTY, ROOT, FAKE)
    assert once.count("before\n") == len(PAGES[PAGE])
    assert "the part headline" in once
    assert render(PAGE, once, ROOT, FAKE) == once


@pytest.mark.parametrize(
    "text",
    [
        "no part at all",
        EMPTY.replace("generated: score", "generated: scores"),
        EMPTY + "<!-- generated: score -->\n<!-- end: score -->",
        EMPTY.replace("<!-- end: score -->", ""),
    ],
    ids=["none", "unknown", "twice", "open"],
)
def test_a_page_without_exactly_its_parts_is_refused(text: str) -> None:
    """A marker cannot be deleted together with the check."""
    with pytest.raises(DataError, match=r"README\.md: expected the parts score, headline, each"):
        render(PAGE, text, ROOT, FAKE)


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    """The error says which file is missing; no table comes out empty."""
    with pytest.raises(DataError, match=r"real\.json"):
        render(PAGE, EMPTY, tmp_path)


def test_the_program_rewrites_the_pages_and_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second run reports that everything is up to date."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tools.docs.PAGES", {PAGE: PAGES[PAGE]})
    for name in PARTS:
        monkeypatch.setitem(PARTS, name, FAKE[name])
    Path(PAGE).write_text(EMPTY)
    main([])
    main([])
    assert capsys.readouterr().out == "README.md: rewritten\nREADME.md: up to date\n"
    assert "the part score" in Path(PAGE).read_text()
