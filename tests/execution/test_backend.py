"""Pieces in threads: order, bounds, errors."""

from collections.abc import Iterator

import pytest

from amlc.errors import DataError
from amlc.execution.backend import THREADS, in_order, open_pool
from tests.helpers.pieces import add, inputs, refuse


def test_results_come_in_the_order_of_the_pieces() -> None:
    """Whichever ends first."""
    with open_pool(THREADS, inputs(), at_once=3, unit="piece") as pool:
        total = add(inputs(), 0)
        assert list(in_order(pool, add, range(20))) == [total + piece for piece in range(20)]


def test_pieces_are_taken_as_they_are_needed() -> None:
    """A long list of pieces and their results do not fill the memory."""
    taken = []

    def pieces() -> Iterator[int]:
        for piece in range(1000):
            taken.append(piece)
            yield piece

    with open_pool(THREADS, inputs(), at_once=2, unit="piece") as pool:
        results = in_order(pool, add, pieces())
        next(results)
        assert len(taken) <= 2 * pool.width + 1


def test_an_error_of_a_piece_is_raised_in_its_turn() -> None:
    """Results before it are not lost."""
    with (
        open_pool(THREADS, "bad", at_once=2, unit="piece") as pool,
        pytest.raises(DataError, match="bad 0"),
    ):
        list(in_order(pool, refuse, range(5)))


def test_no_pieces() -> None:
    """There is nothing to do."""
    with open_pool(THREADS, inputs(), at_once=2, unit="piece") as pool:
        assert list(in_order(pool, add, [])) == []
