"""Distributed fits where no cluster is needed to try them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amlc.errors import ExecutionError, ModelError, ParamsError
from amlc.execution.backend import Member, ThreadBackend
from amlc.models.crossfit import crossfit
from amlc.models.distributed import Share, fit_together
from amlc.models.registry import regressor
from amlc.params import check
from tests.helpers.learning import SECTIONS, Catalogue

BOOSTERS = ["lightgbm", "xgboost"]
ROWS = 11
WHOLE = Share(
    columns=np.arange(2 * ROWS, dtype=np.float32).reshape(ROWS, 2),
    label=np.arange(ROWS, dtype=np.float64),
    weight=np.arange(ROWS, dtype=np.float64),
    parameters={},
    objective=None,
    rounds=1,
)


class InTurn(ThreadBackend):
    """Three workers, one after another, in this process."""

    workers = 3

    def compute_together(
        self,
        prepare: Callable[[None, Member], Any],
        function: Callable[[Any, Member], Any],
        shares: Sequence[Any],
        **_: Any,
    ) -> list[Any]:
        """Return the results of all shares."""
        hosts = ["127.0.0.1"] * len(shares)
        prepared = [prepare(None, Member(rank, hosts, [])) for rank in range(len(shares))]
        members = [Member(rank, hosts, prepared) for rank in range(len(shares))]
        return [function(*pair) for pair in zip(shares, members, strict=True)]


def together(fit: Callable[[Share, Member], str], whole: Share = WHOLE, workers: int = 3) -> str:
    """Return what three workers fit."""
    arguments: Any = {"name": "lightgbm", "workers": workers, "threads": 1, "errors": ValueError}
    return fit_together(InTurn(), lambda _, member: member.rank, fit, whole, **arguments)


def test_each_row_goes_to_one_worker_in_order() -> None:
    """Columns, labels and weights of the same rows."""
    shares: list[Share] = []

    def fit(share: Share, member: Member) -> str:
        assert member.prepared == [0, 1, 2]
        shares.append(share)
        return "trees"

    assert together(fit) == "trees"
    for name in ("columns", "label", "weight"):
        parts = [getattr(share, name) for share in shares]
        assert {3, 4} == set(map(len, parts))
        np.testing.assert_array_equal(np.concatenate(parts), getattr(WHOLE, name))


def test_workers_that_did_not_find_each_other_are_noticed() -> None:
    """Each has then fitted trees of its own."""
    with pytest.raises(ModelError, match="2 of 3 workers have fitted other trees than the first"):
        together(lambda share, member: f"trees of {share.label} by {member.rank}")


def test_more_workers_than_rows() -> None:
    """The message says how many of each."""
    with pytest.raises(ModelError, match="3 workers cannot share 2 rows"):
        together(lambda *_: "trees", WHOLE.rows(0, 2))


@pytest.mark.parametrize("name", BOOSTERS)
def test_without_a_cluster_nothing_is_fitted(name: str, catalogue: Catalogue) -> None:
    """The message names the setting, and what it needs."""
    blocks, _, products = catalogue
    model = regressor(name)
    settings = model.settings_type.model_validate({**SECTIONS[name], "distributed": 4})
    with pytest.raises(ExecutionError, match=rf"train\.{name}\.distributed: 4 .*there are 0: set"):
        crossfit(lambda: model(settings), blocks, products, seed=1, threads=1)


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distributed": 1}, "greater than or equal to 2"),
        ({"distributed": 2, "early_stopping_rounds": 5}, "early_stopping_rounds: 0"),
    ],
)
def test_settings_that_cannot_be(name: str, changes: dict[str, Any], message: str) -> None:
    """One worker is no distributed fit; the held-out rows of early stopping are on none."""
    with pytest.raises(ParamsError, match=message):
        check(regressor(name).settings_type, {**SECTIONS[name], **changes}, "train", Path())
