"""Escaping and cutting of text."""

import html
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.report.markup import Html, clean, joined, tag


class Text(HTMLParser):
    """Collects the text and the elements of a document."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.elements: list[str] = []
        self.values: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element and its attributes' values."""
        self.elements.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def parsed(text: str) -> Text:
    """Return what a parser finds."""
    parser = Text()
    parser.feed(text)
    parser.close()
    return parser


# Neither a parser nor a browser keeps a carriage return or a null character as it is.
TEXTS = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]))


@settings(deadline=None)
@given(TEXTS)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    """Whatever it holds, it is the element's text and no element of its own."""
    found = parsed(tag("p", text))
    assert (found.text, found.elements) == (text, ["p"])


@settings(deadline=None)
@given(TEXTS)
def test_an_attribute_comes_out_as_it_went_in(text: str) -> None:
    """No value ends its attribute."""
    found = parsed(tag("img", alt=text))
    assert (found.values, found.elements) == ([text], ["img"])


def test_html_is_not_escaped_twice() -> None:
    """Elements nest, also in iterables."""
    items = (tag("li", name) for name in ("a", "<b>"))
    assert tag("ul", items) == "<ul><li>a</li><li>&lt;b&gt;</li></ul>"


def test_attributes_may_be_bare_or_absent() -> None:
    """True gives the name alone, None and False nothing."""
    assert tag("p", hidden=True, title=None, inert=False, aria_label="x") == (
        '<p hidden aria-label="x"></p>'
    )


def test_joined_pieces_stay_html() -> None:
    """What is joined can be nested again."""
    assert isinstance(joined("a", tag("br")), Html)


@settings(deadline=None)
@given(st.text(), st.integers(2, 60))
def test_a_cleaned_text_is_bounded_and_visible(text: str, limit: int) -> None:
    """On one line, within the limit, without characters that are invisible or turn the writing."""
    found = clean(text, limit)
    assert len(found) <= limit
    assert not [c for c in found if unicodedata.category(c)[0] == "C" or c in "\n\t\u2028"]
    assert found == found.strip()


@settings(deadline=None)
@given(st.text(), st.integers(2, 60))
def test_cleaning_twice_changes_nothing(text: str, limit: int) -> None:
    """A cleaned text is clean."""
    once = clean(text, limit)
    assert clean(once, limit) == once


def test_a_long_text_ends_at_a_word() -> None:
    """It is not cut in the middle of a word where that costs little."""
    assert clean("twelve black tea bags", 20) == "twelve black tea…"


def test_combining_marks_do_not_pile_up() -> None:
    """Two stay, as some scripts need them; invisible characters between them do not help."""
    assert clean("e" + "\u0301" * 50 + "x", 20) == "e\u0301\u0301x"
    assert clean("e" + "\u0301\u200b" * 50 + "x", 20) == "e\u0301\u0301x"


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u202e\x00"])
def test_nothing_visible_gives_an_empty_text(text: str) -> None:
    """Callers can tell."""
    assert clean(text, 10) == ""


def test_escaping_is_that_of_the_standard_library() -> None:
    """A naive oracle for a text with all special characters."""
    text = "<a href=\"x\" title='y'>&amp;</a>"
    assert tag("p", text) == f"<p>{html.escape(text, quote=False)}</p>"
