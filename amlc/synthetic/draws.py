"""Random numbers that depend only on a seed, a key and a name.

Thus a row stays the same whatever the number of rows and the chunk in which it is drawn, and when
draws for other purposes are added.
"""

import random
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from amlc.arrays import Floats, Ints64, Rows


class Draws:
    """Random draws for a vector of keys.

    Parameters
    ----------
    seed : int
        Not negative.
    keys : ndarray of int64, shape (n,)
        Equal keys get equal draws.

    Examples
    --------
    >>> both, second = Draws(20, np.array([7, 8])), Draws(20, np.array([8]))
    >>> bool(both.uniform("brand")[1] == second.uniform("brand")[0])
    True
    """

    def __init__(self, seed: int, keys: Ints64) -> None:
        self._state = _mix(keys.astype(np.uint64) + _mix(np.array([seed], dtype=np.uint64)))

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._state)

    def bits(self, name: str) -> NDArray[np.uint64]:
        """Return 64 random bits for each key."""
        return _mix(self._state + np.uint64(zlib.crc32(name.encode())))

    def uniform(self, name: str) -> Floats:
        """Return numbers strictly between 0 and 1, shape (n,)."""
        mantissas: Floats = (self.bits(name) >> np.uint64(12)).astype(np.float64)
        return (mantissas + 0.5) * 2.0**-52

    def normal(self, name: str) -> Floats:
        """Return standard normal numbers, shape (n,)."""
        quantiles: Floats = ndtri(self.uniform(name))
        return quantiles

    def pick(self, name: str, weights: Any) -> Rows:
        """Return positions in `weights`, drawn with probabilities in proportion, shape (n,)."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        positions = np.searchsorted(edges, self.uniform(name) * edges[-1], side="right")
        # Rounding may put a draw past the last edge.
        picked: Rows = np.minimum(positions, len(edges) - 1)
        return picked

    def generators(self, name: str) -> list[random.Random]:
        """Return one generator per key, for a number of draws that differs from key to key."""
        return [
            random.Random(seed)  # noqa: S311 - not cryptography
            for seed in self.bits(name).tolist()
        ]


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the next number of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) for each state."""
    mixed = state + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
