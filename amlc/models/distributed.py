"""One booster that several workers fit together, each of which has a share of the rows.

The modules `lightgbm.dask` and `xgboost.dask` let the scheduler choose which worker gets which
rows, so that results may differ from run to run, and use as many threads as the Dask worker, which
here has one. So this uses what they are built on: the libraries' own connections.
"""

import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from amlc.arrays import Floats, Floats32
from amlc.errors import ModelError

if TYPE_CHECKING:
    from amlc.execution.backend import Backend, Member


@dataclass(frozen=True)
class Share:
    """Rows to fit to, all or those of one worker, and how.

    Parameters
    ----------
    columns : ndarray of float32, shape (n, columns)
        What the model computes with.
    label : ndarray of float64, shape (n,)
        What it learns.
    weight : ndarray of float64, shape (n,), optional
        Weight of each row in the loss.
    parameters : dict
        The library's parameters.
    objective : callable or None
        Returns gradient and curvature; None: the library's own L1 loss.
    rounds : int
        Rounds of boosting.
    """

    columns: Floats32
    label: Floats
    weight: Floats | None
    parameters: dict[str, Any]
    objective: Callable[..., Any] | None
    rounds: int

    def rows(self, start: int, end: int) -> "Share":
        """Return some of the rows."""
        part = slice(start, end)
        weight = None if self.weight is None else self.weight[part]
        return replace(self, columns=self.columns[part], label=self.label[part], weight=weight)


def fit_together(
    cluster: "Backend | None",
    prepare: "Callable[[None, Member], Any]",
    fit: "Callable[[Share, Member], str]",
    whole: Share,
    *,
    name: str,
    workers: int,
    threads: int,
    errors: type[Exception],
) -> str:
    """Return the text of a booster that is fitted to all rows, in shares of equal size.

    Parameters
    ----------
    cluster : Backend or None
        Has the workers.
    prepare, errors
        As in `Backend.compute_together`.
    fit : callable
        Returns the booster's text, which has to be the same on all workers.
    whole : Share
        All rows.
    name : str
        The model's name.
    workers : int
        Number of shares.
    threads : int
        Threads of one worker.

    Raises
    ------
    ExecutionError
        There are too few workers, or the fit failed each time.
    ModelError
        There is no cluster, there are fewer rows than workers, or each worker fitted a booster of
        its own.
    """
    if cluster is None:
        raise ModelError(f"train.{name}.distributed: nothing says which workers; leave it empty")
    cluster.check_workers(workers, f"train.{name}.distributed")
    rows = len(whole.label)
    if rows < workers:
        raise ModelError(f"train.{name}.distributed: {workers} workers cannot share {rows} rows")
    limits = np.linspace(0, rows, workers + 1).astype(int).tolist()
    text, *others = cluster.compute_together(
        prepare,
        partial(_text_or_hash, fit),
        [whole.rows(*limit) for limit in pairwise(limits)],
        errors=errors,
        name=f"the distributed fit of {name}",
        threads=threads,
    )
    # A library that lost its parameters of the network fits to the rows of one worker, and says
    # nothing. Then the workers' trees differ.
    different = sum(other != _hash(text) for other in others)
    if different:
        raise ModelError(
            f"train.{name}.distributed: {different} of {workers} workers have fitted other trees "
            "than the first, so not all rows were seen; run again, or leave distributed empty"
        )
    return text


def free_port() -> int:
    """Return the number of a TCP port of this machine that nothing listens on."""
    with socket.socket() as unused:
        unused.bind(("", 0))
        port: int = unused.getsockname()[1]
        return port


def _text_or_hash(fit: "Callable[[Share, Member], str]", share: Share, member: "Member") -> str:
    """Return what the first worker has fitted, and of the others a hash of it."""
    text = fit(share, member)
    return text if member.rank == 0 else _hash(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
