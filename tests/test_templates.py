"""What holds for every page that a template makes."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from amlc.templates import template_environment


def test_values_are_escaped(tmp_path: Path) -> None:
    """A name from a catalogue cannot add an element."""
    (tmp_path / "page.html.j2").write_text("<p>{{ name }}</p>\n")
    template = template_environment(tmp_path).get_template("page.html.j2")
    assert template.render(name="<b>'") == "<p>&lt;b&gt;&#39;</p>\n"


def test_a_name_without_a_value_is_an_error(tmp_path: Path) -> None:
    """It does not become an empty place."""
    (tmp_path / "page.html.j2").write_text("{{ absent }}")
    with pytest.raises(UndefinedError, match="absent"):
        template_environment(tmp_path).get_template("page.html.j2").render(name="")
