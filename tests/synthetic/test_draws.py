"""Draws depend on seed, key and name, and on nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amlc.synthetic.draws import Draws

KEYS = np.arange(1, 20_001, dtype=np.int64)


@given(st.integers(0, 2**31 - 1), st.integers(1, 2**40))
def test_uniform_stays_strictly_inside_the_unit_interval(seed: int, key: int) -> None:
    """Neither 0 nor 1 comes up, so that its normal quantile is finite."""
    draws = Draws(seed, np.array([key]))
    assert 0 < draws.uniform("any")[0] < 1
    assert np.isfinite(draws.normal("any")).all()


def test_a_draw_does_not_depend_on_the_other_keys() -> None:
    """Some keys alone get what they get among all."""
    every, some = Draws(20, KEYS), Draws(20, KEYS[500:600])
    assert (every.uniform("brand")[500:600] == some.uniform("brand")).all()


def test_uniform_is_uniform() -> None:
    """The empirical distribution keeps within the Kolmogorov bound at one in a million."""
    ordered = np.sort(Draws(20, KEYS).uniform("brand"))
    gap = np.abs(ordered - np.arange(len(KEYS)) / len(KEYS)).max()
    assert gap < 2.7 / np.sqrt(len(KEYS))


def test_names_and_seeds_give_unrelated_draws() -> None:
    """Correlations between two names, and between two seeds, are those of chance."""
    one = Draws(20, KEYS).uniform("brand")
    for other in (Draws(20, KEYS).uniform("tier"), Draws(21, KEYS).uniform("brand")):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(len(KEYS))


def test_pick_follows_its_weights_and_skips_zeros() -> None:
    """Shares come out as the weights say; weight 0 is never picked."""
    shares = np.bincount(Draws(20, KEYS).pick("size", [1, 0, 3]), minlength=3) / len(KEYS)
    np.testing.assert_allclose(shares, [0.25, 0, 0.75], atol=0.02)
    assert shares[1] == 0


def test_dice_differ_from_key_to_key_and_repeat_for_the_same_key() -> None:
    """Each key has a generator of its own, the same every time."""
    first = [dice.random() for dice in Draws(20, KEYS[:50]).dice("title")]
    again = [dice.random() for dice in Draws(20, KEYS[:50]).dice("title")]
    assert first == again
    assert len(set(first)) == 50
