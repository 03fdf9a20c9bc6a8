"""Tables as text and Markdown."""

from amlc.experiments.tables import Table, joined, value

TABLE = Table(("model", "A"), [("blend", "43.97"), ("a|b<i>", "1")])


def test_numbers_end_at_the_right() -> None:
    """Names start at the left."""
    assert TABLE.text().splitlines() == ["model       A", "blend   43.97", "a|b<i>      1"]


def test_markup_in_a_cell_is_text() -> None:
    """A parameter's value comes from outside."""
    assert TABLE.markdown().splitlines()[-1] == "| a\\|b&lt;i> | 1 |"


def test_a_long_value_is_cut() -> None:
    """So is one with a thousand entries."""
    assert len(value("x" * 1000)) <= 36
    assert len(value(list(range(1000)))) <= 36
    assert value({"a": 1}) == "{'a': 1}"


def test_what_does_not_fit_is_counted() -> None:
    """A single part that is too long is cut."""
    assert joined(["a=1", "b=2"], 80) == "a=1, b=2"
    assert joined(["a=1" * 40], 20) == "a=1" * 6 + "a…"
    assert joined([], 20) == ""
