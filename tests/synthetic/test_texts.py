"""The texts of the synthetic products."""

import re
from dataclasses import replace

import numpy as np
import pytest

from amlc.synthetic.assortment import SyntheticProducts, make_products
from amlc.synthetic.texts import make_texts

LINE = re.compile(
    r"Item Name: \S.*|Bullet Point: \S.*|Bullet Point \d+: \S.*|Product Description: \S.*"
    r"|Value: (None|\d+(\.\d+)?(e-\d+)?)|Unit: (None|[A-Za-z. ]+)"
)


def make(count: int = 3_000) -> SyntheticProducts:
    """Make products, with more repeats than usual."""
    keys = 2 * np.arange(count, dtype=np.int64) + 1
    return make_products(20, keys, noise=0.39, repeated_titles=0.1, repeated_links=0.1)


@pytest.fixture(scope="module")
def products() -> SyntheticProducts:
    """Return three thousand products."""
    return make()


@pytest.fixture(scope="module")
def texts(products: SyntheticProducts) -> list[str]:
    """Return their texts."""
    return make_texts(20, products)


def test_every_line_has_a_form_of_the_competition(texts: list[str]) -> None:
    """Each text has lines of known forms only, and ends with a line break."""
    for text in texts:
        assert text.endswith("\n")
        lines = text[:-1].split("\n")
        assert all(LINE.fullmatch(line) for line in lines), text
        assert lines[0].startswith("Item Name: ")
        assert [line.split(":")[0] for line in lines[-2:]] == ["Value", "Unit"]


def test_bullet_points_are_numbered_unless_there_is_only_one(texts: list[str]) -> None:
    """The numbers start at 1 and have no gaps."""
    for text in texts:
        numbers = re.findall(r"^Bullet Point ?(\d*):", text, flags=re.MULTILINE)
        assert numbers in ([], [""], [str(number) for number in range(1, len(numbers) + 1)])
        assert numbers != ["1"]


@pytest.mark.parametrize(
    "pattern",
    [
        r"^Value: None\nUnit: None$",
        r"<p>",
        r"&nbsp;",
        r"[^\x00-\x7f]",
        "\N{HERB}",
        r"^Unit: Fl Oz$",
        r"^Unit: gram$",
        r"^Unit: pound$",
        r"^Unit: Foot$",
        r"\(Pack of 6\)",
        r"12 per case",
        r'"',
        r"^Bullet Point: ",
        r"^Bullet Point 10: ",
    ],
)
def test_difficult_texts_occur(texts: list[str], pattern: str) -> None:
    """Missing values, markup, other scripts, unusual units and pack phrases all occur."""
    assert any(re.search(pattern, text, flags=re.MULTILINE) for text in texts)


def test_the_text_does_not_depend_on_the_label(
    products: SyntheticProducts, texts: list[str]
) -> None:
    """Another label changes the price but not the text, so that only the picture shows it."""
    other = replace(products, tier=(products.tier + 1) % 4, price=products.price * 2)
    assert make_texts(20, other) == texts


def test_a_silent_text_does_not_depend_on_the_pack(
    products: SyntheticProducts, texts: list[str]
) -> None:
    """Where the text is silent, another number of pieces does not change it."""
    other = replace(products, pack=np.where(products.silent, 7, products.pack))
    assert products.silent.any()
    assert make_texts(20, other) == texts


def test_other_texts_depend_on_the_pack(products: SyntheticProducts, texts: list[str]) -> None:
    """Where the text is not silent, another number of pieces changes it."""
    other = replace(products, pack=np.full_like(products.pack, 7))
    stated = (products.pack > 1) & ~products.silent
    pairs = zip(texts, make_texts(20, other), strict=True)
    changed = np.array([text != text_of_seven for text, text_of_seven in pairs])
    assert changed[stated].all()


def test_a_retitled_row_has_the_words_of_its_origins_title(
    products: SyntheticProducts, texts: list[str]
) -> None:
    """Case and punctuation of the two titles differ in most rows."""
    titles = dict(zip(products.key.tolist(), (text.split("\n")[0] for text in texts), strict=True))
    plain = set(products.key[products.key == products.origin].tolist())
    pairs = [
        (titles[key], titles[origin])
        for key, origin, retitled in zip(
            products.key.tolist(), products.origin.tolist(), products.retitled, strict=True
        )
        if retitled and key != origin and origin in plain
    ]
    assert len(pairs) > 20
    assert all(_words(title) == _words(original) for title, original in pairs)
    assert sum(title != original for title, original in pairs) > len(pairs) / 2


def test_the_value_is_the_size_of_a_piece_or_of_the_pack() -> None:
    """In ounces, the value is the size of one piece or that size times the number of pieces."""
    products = make(500)
    for row, text in enumerate(make_texts(20, products)):
        match = re.search(r"^Value: (.*)\nUnit: (Ounce|Fl Oz)$", text, flags=re.MULTILINE)
        if match:
            size, pack = products.size[row], products.pack[row]
            assert np.isclose(float(match[1]), [size, size * pack], atol=1e-4).any()


def _words(title: str) -> list[str]:
    return re.findall(r"\w+", title.lower())
