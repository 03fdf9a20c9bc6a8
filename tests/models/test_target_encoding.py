"""Target encoding, cross-fitted on grouped inner folds."""

import numpy as np
import pytest
from sklearn.preprocessing import TargetEncoder

from amlc.errors import ModelError
from amlc.models.target_encoding import TargetEncoding, inner_splits

GROUPS = np.repeat(np.arange(10, dtype=np.int32), 2)
KEYS = np.array([["xy"[row % 2], f"only {group}"] for row, group in enumerate(GROUPS)], object)
LOG_PRICE = np.linspace(0, 3, 20)


def test_inner_splits_keep_groups_together() -> None:
    """No group is on both sides of an inner split, and each row is held out once."""
    splits = inner_splits(GROUPS, seed=3)
    for fit, held_out in splits:
        assert not set(GROUPS[fit]) & set(GROUPS[held_out])
    assert sorted(np.concatenate([held_out for _, held_out in splits])) == list(range(20))


def test_inner_splits_with_few_groups() -> None:
    """Fewer groups than folds give as many folds as groups."""
    assert len(inner_splits(np.array([0, 0, 1, 2], np.int32), seed=0)) == 3


def test_inner_splits_need_two_groups() -> None:
    """One group cannot be split."""
    with pytest.raises(ModelError, match="one group"):
        inner_splits(np.zeros(4, np.int32), seed=0)


def test_own_group_is_not_in_the_train_encoding() -> None:
    """A key that occurs in one group only is encoded there by the mean of the other rows."""
    encoding = TargetEncoding(2.0)
    splits = inner_splits(GROUPS, seed=3)
    encoded = encoding.fit_transform(KEYS, LOG_PRICE, splits)
    for fit, held_out in splits:
        np.testing.assert_allclose(encoded[held_out, 1], LOG_PRICE[fit].mean())


def test_changing_a_price_leaves_its_own_encoding() -> None:
    """No row's encoding depends on its own price."""
    splits = inner_splits(GROUPS, seed=3)
    before = TargetEncoding(2.0).fit_transform(KEYS, LOG_PRICE, splits)
    changed = LOG_PRICE.copy()
    changed[7] += 100
    after = TargetEncoding(2.0).fit_transform(KEYS, changed, splits)
    np.testing.assert_array_equal(before[7], after[7])
    assert not np.array_equal(before, after)


def test_new_rows_are_encoded_by_the_smoothed_mean() -> None:
    """The overall mean counts as much as the number of rows in `smoothing`."""
    encoding = TargetEncoding(2.0)
    encoding.fit_transform(KEYS, LOG_PRICE, inner_splits(GROUPS, seed=3))
    ours = LOG_PRICE[::2]
    expected = (ours.sum() + 2.0 * LOG_PRICE.mean()) / (len(ours) + 2.0)
    new = np.array([["x", ""], ["new", ""]], dtype=object)
    encoded = encoding.transform(new)
    np.testing.assert_allclose(encoded[:, 0], [expected, LOG_PRICE.mean()])
    np.testing.assert_allclose(encoded[:, 1], LOG_PRICE.mean())


def test_no_new_rows() -> None:
    """No rows give an empty array with the right number of columns."""
    encoding = TargetEncoding(2.0)
    encoding.fit_transform(KEYS, LOG_PRICE, inner_splits(GROUPS, seed=3))
    assert encoding.transform(KEYS[:0]).shape == (0, 2)


def test_the_numbers_are_those_of_scikit_learn() -> None:
    """Bit for bit, also where a value is held out with all of its rows."""
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 40, 90).astype(np.int32)
    keys = np.array([[f"a{row % 7}", f"{group}", ""] for row, group in enumerate(groups)], object)
    log_price = rng.normal(3, 1, 90)
    splits = inner_splits(groups, seed=3)
    encoding = TargetEncoding(20.0)
    encoded = encoding.fit_transform(keys, log_price, splits)
    theirs = TargetEncoder(target_type="continuous", smooth=20.0, cv=splits)
    assert encoded.tobytes() == theirs.fit_transform(keys, log_price).tobytes()
    assert encoding.transform(keys).tobytes() == theirs.transform(keys).tobytes()
