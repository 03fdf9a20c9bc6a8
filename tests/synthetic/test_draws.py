"""Draws depend on the seed, the key and the name, and on nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amlc.synthetic.draws import Draws

KEYS = np.arange(1, 20_001, dtype=np.int64)


@given(st.integers(0, 2**31 - 1), st.integers(1, 2**40))
def test_uniform_draws_are_strictly_between_0_and_1(seed: int, key: int) -> None:
    """Neither end occurs, so the normal quantile of a draw is finite."""
    draws = Draws(seed, np.array([key]))
    assert 0 < draws.uniform("any")[0] < 1
    assert np.isfinite(draws.normal("any")).all()


def test_a_draw_does_not_depend_on_the_other_keys() -> None:
    """Keys have the same draws alone as among others."""
    all_keys, few_keys = Draws(20, KEYS), Draws(20, KEYS[500:600])
    assert (all_keys.uniform("brand")[500:600] == few_keys.uniform("brand")).all()


def test_uniform_draws_are_uniform() -> None:
    """The empirical distribution is within the Kolmogorov bound for one in a million."""
    ordered = np.sort(Draws(20, KEYS).uniform("brand"))
    gap = np.abs(ordered - np.arange(len(KEYS)) / len(KEYS)).max()
    assert gap < 2.7 / np.sqrt(len(KEYS))


def test_draws_of_other_names_and_seeds_are_uncorrelated() -> None:
    """Correlations between two names, and between two seeds, are within chance."""
    draws = Draws(20, KEYS).uniform("brand")
    for other in (Draws(20, KEYS).uniform("tier"), Draws(21, KEYS).uniform("brand")):
        assert abs(np.corrcoef(draws, other)[0, 1]) < 5 / np.sqrt(len(KEYS))


def test_pick_follows_its_weights() -> None:
    """The shares agree with the weights, and weight 0 is never picked."""
    shares = np.bincount(Draws(20, KEYS).pick("size", [1, 0, 3]), minlength=3) / len(KEYS)
    np.testing.assert_allclose(shares, [0.25, 0, 0.75], atol=0.02)
    assert shares[1] == 0


def test_every_key_has_a_repeatable_generator() -> None:
    """Generators differ from key to key, and are the same each time."""
    first, second = (
        [rng.random() for rng in Draws(20, KEYS[:50]).generators("title")] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == 50
