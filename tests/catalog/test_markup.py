"""HTML becomes the text that a reader sees, in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.markup import plain_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Tea &amp; milk &#8482;", "Tea & milk \N{TRADE MARK SIGN}"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("<b>bo</b>ld", "bold"),
        ("a<script>alert('<p>')</script>b", "a b"),
        ("a<!-- <b> -->b", "a b"),
        ("5 < 6 & 7 > 3", "5 < 6 & 7 > 3"),
        ("<STYLE>p {}</STYLE >x", "x"),
        ("open <script>never closed", "open"),
    ],
)
def test_only_markup_changes(markup: str, text: str) -> None:
    """Elements that hold no text vanish with their content."""
    assert plain_text(markup) == text


@given(st.text(alphabet="<>/!-&;pscrit \n", max_size=200))
def test_any_text_is_accepted(text: str) -> None:
    """However broken it is."""
    assert plain_text(text).strip() == plain_text(text)
