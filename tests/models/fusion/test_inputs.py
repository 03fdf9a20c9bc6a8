"""Batches of rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amlc.models.fusion.inputs import Inputs, prediction_batches, training_batches


def test_the_digest_says_which_row_a_picture_belongs_to() -> None:
    """Else a checkpoint would go on with other inputs."""
    dense = np.zeros((2, 1), np.float32)
    pictures: list[list[tuple[bytes, ...]]] = [
        [(b"a", b"b"), ()],
        [(b"a",), (b"b",)],
        [(b"b", b"a"), ()],
        [(), (b"a", b"b")],
    ]
    inputs = [Inputs(dense, (), None, each) for each in pictures]
    assert len({each.digest() for each in inputs}) == len(pictures)
    counts = [each.picture_counts.tolist() for each in inputs]
    assert counts == [[2, 0], [1, 1], [2, 0], [0, 2]]
    assert Inputs(dense, (), None, None).picture_counts.tolist() == [0, 0]


@given(
    lengths=st.lists(st.integers(0, 50), min_size=1, max_size=300),
    batch_size=st.integers(1, 20),
)
def test_an_epoch_has_each_row_once(lengths: list[int], batch_size: int) -> None:
    """In batches that are full but for the last of a window."""
    rng = np.random.default_rng(1)
    batches = training_batches(np.array(lengths), batch_size, rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch_size)
    predicted = list(prediction_batches(np.array(lengths), np.ones(len(lengths), int), batch_size))
    assert sorted(np.concatenate(predicted).tolist()) == list(range(len(lengths)))
    assert len(predicted) == len(batches)


@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=60), batch_size=st.integers(1, 20))
def test_products_with_many_pictures_do_not_make_other_batches_small(
    counts: list[int], batch_size: int
) -> None:
    """Each row is there once, and a batch of several rows has no more pictures than asked for."""
    pictures = np.array(counts)
    batches = list(prediction_batches(np.zeros(len(counts), np.int64), pictures, batch_size))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(counts)))
    assert all(len(rows) == 1 or pictures[rows].sum() <= batch_size for rows in batches)
    single = sum(count <= 1 for count in counts)
    assert sum(pictures[rows].max() <= 1 for rows in batches) == -(-single // batch_size)


def test_batches_have_similar_lengths_and_a_random_order() -> None:
    """Padding costs time; the order of lengths would be a schedule of its own."""
    lengths = np.random.default_rng(0).integers(1, 100, 2000)
    batches = training_batches(lengths, 10, np.random.default_rng(1))
    spreads = [np.ptp(lengths[rows]) for rows in batches]
    assert np.mean(spreads) < 10
    means = np.array([lengths[rows].mean() for rows in batches])
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.3


def test_the_generator_decides_the_batches() -> None:
    """Equal seeds give equal epochs."""
    lengths = np.arange(100)
    first, second, third = (
        np.concatenate(training_batches(lengths, 8, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)
