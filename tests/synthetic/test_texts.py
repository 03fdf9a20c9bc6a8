"""The text of the synthetic products."""

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
    """Three thousand products."""
    return make()


@pytest.fixture(scope="module")
def texts(products: SyntheticProducts) -> list[str]:
    """Their texts."""
    return make_texts(20, products)


def test_every_line_is_one_that_the_competition_has(texts: list[str]) -> None:
    """Each text is made of known lines only, and ends with a line break."""
    for text in texts:
        assert text.endswith("\n")
        lines = text[:-1].split("\n")
        assert all(LINE.fullmatch(line) for line in lines), text
        assert lines[0].startswith("Item Name: ")
        assert [line.split(":")[0] for line in lines[-2:]] == ["Value", "Unit"]


def test_bullets_are_numbered_from_one_and_a_single_one_is_not(texts: list[str]) -> None:
    """Numbers run without a gap; one bullet alone has none."""
    for text in texts:
        numbers = re.findall(r"^Bullet Point ?(\d*):", text, flags=re.MULTILINE)
        assert numbers in ([], [""], [str(number) for number in range(1, len(numbers) + 1)])
        assert numbers != ["1"]


@pytest.mark.parametrize(
    "wanted",
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
def test_what_parsers_have_to_cope_with_turns_up(texts: list[str], wanted: str) -> None:
    """Missing values, markup, other scripts, odd units and pack phrases are all there."""
    assert any(re.search(wanted, text, flags=re.MULTILINE) for text in texts)


def test_the_label_is_not_in_the_text(products: SyntheticProducts, texts: list[str]) -> None:
    """Another label, another price: the same text, so that only the picture tells."""
    other = replace(products, tier=(products.tier + 1) % 4, price=products.price * 2)
    assert make_texts(20, other) == texts


def test_a_silent_pack_is_not_in_the_text(products: SyntheticProducts, texts: list[str]) -> None:
    """Where the text is silent, another number of pieces leaves it as it is."""
    other = replace(products, pack=np.where(products.silent, 7, products.pack))
    assert products.silent.any()
    assert make_texts(20, other) == texts


def test_a_pack_that_is_not_silent_is_in_the_text(
    products: SyntheticProducts, texts: list[str]
) -> None:
    """Where the text is not silent, another number of pieces changes it."""
    other = replace(products, pack=np.full_like(products.pack, 7))
    spoken = (products.pack > 1) & ~products.silent
    changed = np.array([one != two for one, two in zip(texts, make_texts(20, other), strict=True)])
    assert changed[spoken].all()


def test_a_retitled_row_has_its_origins_title_but_for_case_and_punctuation(
    products: SyntheticProducts, texts: list[str]
) -> None:
    """Both titles are the same words, and not all are the same characters."""
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
    assert all(_words(one) == _words(two) for one, two in pairs)
    assert sum(one != two for one, two in pairs) > len(pairs) / 2


def test_the_value_is_the_piece_or_the_whole_pack() -> None:
    """In ounces, the value is the size, or the size times the pieces, or the pieces."""
    products = make(500)
    for row, text in enumerate(make_texts(20, products)):
        found = re.search(r"^Value: (.*)\nUnit: (Ounce|Fl Oz)$", text, flags=re.MULTILINE)
        if found:
            size, pack = products.size[row], products.pack[row]
            assert np.isclose(float(found[1]), [size, size * pack], atol=1e-4).any()


def _words(title: str) -> list[str]:
    return re.findall(r"\w+", title.lower())
