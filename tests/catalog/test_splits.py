"""Groups connect products with a common link or title, and folds keep each group together."""

from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from amlc.catalog.splits import (
    add_groups_and_folds,
    grouped_folds,
    linked_groups,
    placeholder_links,
    product_groups,
)
from amlc.errors import DataError

KEYS = st.lists(
    st.tuples(st.sampled_from(["", *"abcdef"]), st.sampled_from(["", *"abcdef"])), min_size=1
)


def alone(keys: list[str]) -> list[tuple[str]]:
    """Return rows with one key each."""
    return [(key,) for key in keys]


def naive_groups(rows: list[tuple[str, str]]) -> list[int]:
    """Merge labels pair by pair until nothing changes."""
    labels = list(range(len(rows)))
    for i, row in enumerate(rows):
        for j, earlier in enumerate(rows[:i]):
            if any(a == b != "" for a, b in zip(row, earlier, strict=True)):
                old, new = labels[i], labels[j]
                labels = [new if label == old else label for label in labels]
    first_seen = list(dict.fromkeys(labels))
    return [first_seen.index(label) for label in labels]


@given(KEYS)
def test_groups_agree_with_a_naive_computation(rows: list[tuple[str, str]]) -> None:
    """The numbers are the same for any pattern of shared and empty keys."""
    groups = linked_groups([alone([a for a, _ in rows]), alone([b for _, b in rows])])
    assert groups.tolist() == naive_groups(rows)
    assert groups.dtype == np.int32


@given(KEYS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_groups(
    rows: list[tuple[str, str]], random: Random
) -> None:
    """Only the numbers of the groups depend on it."""
    order = list(range(len(rows)))
    random.shuffle(order)
    before = linked_groups([alone([a for a, _ in rows]), alone([b for _, b in rows])])[order]
    after = linked_groups([alone([rows[i][side] for i in order]) for side in (0, 1)])
    assert len(set(zip(before.tolist(), after.tolist(), strict=True))) == len(set(after.tolist()))


def test_a_chain_is_one_group() -> None:
    """The first and the last row have nothing in common but the row between them."""
    texts = ["Item Name: Tea", "Item Name: Tea", "Item Name: Oil", "Item Name: Rye"]
    assert product_groups(texts, alone(["a", "b", "b", "c"])).tolist() == [0, 0, 0, 1]


def test_any_shared_picture_connects() -> None:
    """Not only the first ones; a placeholder among the others connects nothing."""
    texts = ["Item Name: Tea", "Item Name: Oil", "Item Name: Rye"]
    links = [("a", "size"), ("b", "a", "size"), ("c", "size")]
    assert product_groups(texts, links).tolist() == [0, 0, 0]
    assert product_groups(texts, links, {"size"}).tolist() == [0, 0, 1]
    assert placeholder_links(texts, links, 3) == {"size": 3}


def test_a_long_chain_is_one_group() -> None:
    """The length of a chain is not limited by recursion."""
    count = 20_000
    left = [str(n // 2) for n in range(count)]
    right = [str((n + 1) // 2) for n in range(count)]
    assert set(linked_groups([alone(left), alone(right)])) == {0}


@pytest.mark.parametrize(
    "title",
    [
        "green tea, 20 bags",
        "GREEN   TEA - 20 BAGS!",
        "\uff27reen\u00a0Tea (20 Bags)",
    ],
)
def test_titles_are_compared_without_case_punctuation_and_width(title: str) -> None:
    """Titles that differ only in these are the same."""
    texts = ["Item Name: Green Tea 20 Bags\nValue: 1", f"Item Name: {title}\nValue: 2"]
    assert product_groups(texts, alone(["a", "b"])).tolist() == [0, 0]


@pytest.mark.parametrize("title", ["Green Tea 200 Bags", "Green Tea 20", "Tea Green 20 Bags"])
def test_titles_with_different_words_are_different(title: str) -> None:
    """Another number, a missing word and another order each make a different product."""
    texts = ["Item Name: Green Tea 20 Bags", f"Item Name: {title}"]
    assert product_groups(texts, alone(["a", "b"])).tolist() == [0, 1]


@pytest.mark.parametrize(
    "text", ["", "nan", "Item Name: ", "Item Name: None", "Item Name:\nValue: 1", "Item Name: !!!"]
)
def test_empty_titles_and_links_connect_nothing(text: str) -> None:
    """Products without title and link may be different products."""
    assert product_groups([text, text], alone(["", ""])).tolist() == [0, 1]


def test_a_title_that_equals_a_link_connects_nothing() -> None:
    """Keys are compared with keys of the same kind only."""
    assert linked_groups([alone(["a", "b"]), alone(["b", "c"])]).tolist() == [0, 1]


UNLIKE = [
    "Orrel Coffee, 9 Ounce",
    "Tamsin Rock Salt",
    "Quenby Crisps (Pack of 4)",
    "Vornwick Honey 350 g",
    "Olive Oil from Crete",
]
VARIANTS = [f"Orrel Coffee, {taste}, {size} Ounce" for taste in "abc" for size in range(9)]


def texts_of(titles: list[str]) -> list[str]:
    """Return texts with these titles."""
    return [f"Item Name: {title}\nValue: 1" for title in titles]


def test_a_link_beside_unlike_titles_is_a_placeholder() -> None:
    """Each of its products is a group of its own; other links and titles connect as ever."""
    texts = texts_of([*UNLIKE, UNLIKE[0], "Rye", "Rye Bread"])
    links = alone(["none"] * 6 + ["b", "b"])
    found = placeholder_links(texts, links, 5)
    assert found == {"none": 6}
    assert product_groups(texts, links).tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert product_groups(texts, links, found).tolist() == [0, 1, 2, 3, 4, 0, 5, 5]


def test_variants_of_one_product_may_share_a_picture() -> None:
    """However many they are, their titles have most words in common: they stay one group."""
    assert placeholder_links(texts_of(VARIANTS), alone(["a"] * 27), 2) == {}
    titles = [*VARIANTS, *UNLIKE[:4]]
    # With one of the variants, four other products are five titles of which no two are alike.
    assert placeholder_links(texts_of(titles), alone(["a"] * 31), 5) == {}
    assert placeholder_links(texts_of([*VARIANTS, *UNLIKE[1:]]), alone(["a"] * 31), 5) == {"a": 31}


@pytest.mark.parametrize("text", ["", "nan", "Item Name: ", "Bullet Point: Tasty"])
def test_rows_without_title_or_link_make_no_placeholder(text: str) -> None:
    """What is missing is not different."""
    assert placeholder_links([*texts_of(UNLIKE[:4]), text], alone(["a"] * 5), 5) == {}
    assert placeholder_links(texts_of(UNLIKE), alone([""] * 5), 5) == {}


@given(
    st.lists(st.tuples(st.sampled_from([*UNLIKE, *VARIANTS[:3]]), st.sampled_from("ab"))),
    st.randoms(use_true_random=False),
)
def test_placeholders_do_not_depend_on_the_order_of_rows(
    rows: list[tuple[str, str]], random: Random
) -> None:
    """They are the links with enough unlike titles."""
    shuffled = rows.copy()
    random.shuffle(shuffled)
    found, again = (
        placeholder_links(
            texts_of([title for title, _ in some]), alone([link for _, link in some]), 5
        )
        for some in (rows, shuffled)
    )
    assert found == again
    distinct = {link: {title.split(",")[0] for title, own in rows if own == link} for link in "ab"}
    assert set(found) == {link for link, titles in distinct.items() if len(titles) >= 5}


def test_the_competition_has_one_placeholder(competition: Path) -> None:
    """Twelve products of twelve makers share its picture; no other link is beside unlike titles."""
    tables = [pd.read_csv(competition / f"{split}.csv") for split in ("train", "test")]
    rows = pd.concat(tables, ignore_index=True)
    texts, links = rows["catalog_content"].tolist(), alone(rows["image_link"].tolist())
    for least in (3, 5, 12):
        found = placeholder_links(texts, links, least)
        assert found == {"https://m.media-amazon.com/images/I/51m1gdQJW2L.jpg": 12}
    before, after = product_groups(texts, links), product_groups(texts, links, found)
    changed = (np.bincount(before)[before] != np.bincount(after)[after]).nonzero()[0]
    assert set(rows["image_link"].iloc[changed]) == set(found)


PRODUCTS = st.lists(
    st.tuples(st.integers(0, 12), st.floats(0.01, 1e5)), min_size=40, max_size=120
).filter(lambda rows: len({group for group, _ in rows}) >= 6)


def split(
    groups: list[int], prices: object = None, *, folds: int = 5, seed: int = 1
) -> NDArray[np.int8]:
    """Return the folds of rows whose ids are their numbers."""
    ids = [str(n) for n in range(len(groups))]
    row_prices = np.arange(1.0, len(groups) + 1) if prices is None else np.asarray(prices)
    return grouped_folds(ids, row_prices, np.asarray(groups, np.int32), folds=folds, seed=seed)


@given(PRODUCTS, st.integers(2, 6), st.integers(0, 99))
def test_every_group_is_in_one_fold(rows: list[tuple[int, float]], folds: int, seed: int) -> None:
    """Every row has a fold, and every fold has rows."""
    groups = [group for group, _ in rows]
    fold = split(groups, [price for _, price in rows], folds=folds, seed=seed)
    assert sorted(set(fold.tolist())) == list(range(folds))
    pairs = set(zip(groups, fold.tolist(), strict=True))
    assert len(pairs) == len(set(groups))


@given(PRODUCTS, st.integers(0, 60), st.integers(2, 6))
def test_sizes_of_folds_differ_by_at_most_the_largest_group(
    rows: list[tuple[int, float]], singles: int, folds: int
) -> None:
    """They differ by one row at most where there are enough groups of one row."""
    groups = [group for group, _ in rows] + list(range(100, 100 + singles))
    sizes = np.bincount(split(groups, folds=folds))
    largest = int(np.bincount(groups).max())
    assert np.ptp(sizes) <= largest
    if singles >= largest * folds:
        assert np.ptp(sizes) <= 1


@settings(max_examples=40)
@given(st.integers(10, 400), st.integers(2, 8), st.integers(0, 99))
def test_every_price_range_is_spread_evenly(count: int, folds: int, seed: int) -> None:
    """Of the k cheapest rows, for every k, each fold has its share, within three rows."""
    fold = split(list(range(count)), np.geomspace(0.1, 600, count), folds=folds, seed=seed)
    rank = np.arange(1, count + 1)
    for number in range(folds):
        assert np.abs(np.cumsum(fold == number) - rank / folds).max() <= 3


def test_groups_of_several_rows_are_stratified_too() -> None:
    """The folds of pairs follow their mean log price."""
    groups = np.repeat(np.arange(500), 2)
    prices = np.repeat(np.geomspace(0.1, 600, 500), 2)
    fold = split(groups.tolist(), prices)
    means = [np.log(prices[fold == number]).mean() for number in range(5)]
    assert np.ptp(means) < 0.1


@given(PRODUCTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_numbers_of_groups_do_not_matter(
    rows: list[tuple[int, float]], random: Random
) -> None:
    """Each row of a shuffled train.csv has the same fold as before."""
    ids = np.array([f"id{n}" for n in range(len(rows))])
    groups = np.array([group for group, _ in rows], dtype=np.int32)
    # With few different prices, most groups of one size are tied.
    prices = np.array([1.0 + (price > 1) for _, price in rows])
    order = list(range(len(rows)))
    random.shuffle(order)
    before = grouped_folds(ids.tolist(), prices, groups, folds=5, seed=1)
    after = grouped_folds(ids[order].tolist(), prices[order], 99 - groups[order], folds=5, seed=1)
    assert after.tolist() == before[order].tolist()


def test_the_seed_determines_the_folds() -> None:
    """The same seed gives the same folds, and another seed gives other folds."""
    groups = list(range(100))
    assert split(groups, seed=1).tolist() == split(groups, seed=1).tolist()
    assert split(groups, seed=1).tolist() != split(groups, seed=2).tolist()


def test_folds_are_not_assigned_in_turn() -> None:
    """The order of the folds along the price is random."""
    fold = split(list(range(1000)))
    assert len({tuple(fold[start : start + 5]) for start in range(0, 1000, 5)}) > 50


def test_equal_prices_are_allowed() -> None:
    """Ids break every tie."""
    assert np.bincount(split(list(range(50)), np.full(50, 9.99))).tolist() == [10] * 5


def test_one_group_for_each_fold_is_enough() -> None:
    """These are the smallest data that can be split."""
    assert sorted(split([0, 0, 1, 2], folds=3).tolist()) in (
        [0, 0, 1, 2],
        [0, 1, 1, 2],
        [0, 1, 2, 2],
    )


@pytest.mark.parametrize("groups", [[], [0], [0, 1], [0, 0, 0, 1, 1, 1]])
def test_fewer_groups_than_folds_are_refused(groups: list[int]) -> None:
    """The message has the numbers of rows, groups and folds."""
    message = rf"{len(groups)} valid rows make {len(set(groups))} groups .* too few for 3 folds"
    with pytest.raises(DataError, match=message):
        split(groups, folds=3)


def _catalogue(order: list[int]) -> pd.DataFrame:
    """Return 60 train rows in groups of two, in an order, and a test row."""
    rows = [(f"i{n:02d}", f"Item Name: Tea {n // 2}", 1.0 + n, "train") for n in order]
    frame = pd.DataFrame(
        [*rows, ("t", "Item Name: Oil", np.nan, "test")],
        columns=["sample_id", "catalog_content", "price", "split"],
    )
    return frame.assign(image_link="")


def test_held_out_rows_are_whole_groups_and_come_last() -> None:
    """No row that is trained on is a duplicate of one; those of the test file come before them."""
    products = add_groups_and_folds(_catalogue(list(range(60))), (), 3, 1, holdout=0.1)
    held_out = products[(products["split"] == "test") & products["price"].notna()]
    assert len(held_out) == 6
    assert held_out.index.tolist() == list(range(55, 61))
    assert products["sample_id"][54] == "t"
    kept = products[products["split"] == "train"]
    assert not set(held_out["group"]) & set(kept["group"])
    assert set(held_out["fold"]) == {-1}
    assert (kept["fold"] >= 0).all()


def test_which_rows_are_held_out_does_not_depend_on_their_order() -> None:
    """A sorted file has the same ones."""
    chosen = [
        set(table.loc[(table["split"] == "test"), "sample_id"])
        for order in (list(range(60)), list(range(60))[::-1])
        for table in [add_groups_and_folds(_catalogue(order), (), 3, 1, holdout=0.2)]
    ]
    assert chosen[0] == chosen[1]
