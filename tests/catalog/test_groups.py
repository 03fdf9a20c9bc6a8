"""Groups are the connected components of shared links and titles."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.catalog.groups import linked_groups, product_groups

KEYS = st.lists(
    st.tuples(st.sampled_from(["", *"abcdef"]), st.sampled_from(["", *"abcdef"])), min_size=1
)


def naive_groups(rows: list[tuple[str, str]]) -> list[int]:
    """Merge labels pair by pair until nothing changes."""
    labels = list(range(len(rows)))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows[:i]):
            if any(a == b != "" for a, b in zip(one, other, strict=True)):
                old, new = labels[i], labels[j]
                labels = [new if label == old else label for label in labels]
    first_seen = list(dict.fromkeys(labels))
    return [first_seen.index(label) for label in labels]


@settings(deadline=None)
@given(KEYS)
def test_groups_are_those_of_a_slow_way(rows: list[tuple[str, str]]) -> None:
    """Any pattern of shared and empty keys, numbers included."""
    found = linked_groups([[a for a, _ in rows], [b for _, b in rows]])
    assert found.tolist() == naive_groups(rows)
    assert found.dtype == np.int32


@settings(deadline=None)
@given(KEYS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_who_is_together(
    rows: list[tuple[str, str]], random: Random
) -> None:
    """Only the groups' numbers depend on it."""
    order = list(range(len(rows)))
    random.shuffle(order)
    before = linked_groups([[a for a, _ in rows], [b for _, b in rows]])[order]
    after = linked_groups([[rows[i][0] for i in order], [rows[i][1] for i in order]])
    assert len(set(zip(before.tolist(), after.tolist(), strict=True))) == len(set(after.tolist()))


def test_a_chain_is_one_group() -> None:
    """The first and the last share nothing but the row between them."""
    texts = ["Item Name: Tea", "Item Name: Tea", "Item Name: Oil", "Item Name: Rye"]
    assert product_groups(texts, ["a", "b", "b", "c"]).tolist() == [0, 0, 0, 1]


def test_a_long_chain_is_one_group() -> None:
    """Its length meets no limit of recursion."""
    count = 20_000
    left = [str(n // 2) for n in range(count)]
    right = [str((n + 1) // 2) for n in range(count)]
    assert set(linked_groups([left, right])) == {0}


@pytest.mark.parametrize(
    "title",
    [
        "green tea, 20 bags",
        "GREEN   TEA - 20 BAGS!",
        "\uff27reen\u00a0Tea (20 Bags)",
    ],
)
def test_titles_are_compared_without_case_punctuation_and_width(title: str) -> None:
    """Case, punctuation, white space and compatibility forms do not tell products apart."""
    texts = ["Item Name: Green Tea 20 Bags\nValue: 1", f"Item Name: {title}\nValue: 2"]
    assert product_groups(texts, ["a", "b"]).tolist() == [0, 0]


@pytest.mark.parametrize("other", ["Green Tea 200 Bags", "Green Tea 20", "Tea Green 20 Bags"])
def test_titles_with_other_words_are_other_products(other: str) -> None:
    """A size, a missing word, another order."""
    texts = ["Item Name: Green Tea 20 Bags", f"Item Name: {other}"]
    assert product_groups(texts, ["a", "b"]).tolist() == [0, 1]


@pytest.mark.parametrize("text", ["", "Item Name: ", "Item Name:\nValue: 1", "Item Name: !!!"])
def test_empty_titles_and_links_join_nothing(text: str) -> None:
    """What says nothing is no evidence of being the same."""
    assert product_groups([text, text], ["", ""]).tolist() == [0, 1]


def test_a_title_and_a_link_with_the_same_words_are_no_pair() -> None:
    """Keys of two kinds never meet."""
    assert linked_groups([["a", "b"], ["b", "c"]]).tolist() == [0, 1]
