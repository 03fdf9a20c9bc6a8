"""How long the stages would take on 1 to 64 workers, from the costs that scale.py measured.

`python benchmarks/scale_simulation.py --work /tmp/scale --rows 75000` replays the measured stages:
`dvc repro` runs one after the other; within a stage, what is not a piece runs on one machine, and
pieces are handed to whichever worker is free. The scheduler hands out one piece at a time, and each
worker that has the inputs sends them to two others. Both costs were measured on a loopback address
with TLS (`--task-seconds`, `--bytes-per-second`); a worker computes a piece in one thread.

Three cases: only the fits of a model are pieces; chunks of rows of the features as well, as in the
pipeline; and inputs lie in a folder that all workers read at once. The last column says what
most of the time on 64 workers is.
"""

import argparse
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scale import WORK, Cost, read_costs

from amlc import layout, params
from amlc.errors import DataError, run
from amlc.features.blocks import block_path

WORKERS = (1, 2, 4, 8, 16, 32, 64)
# Rows of a chunk, and the share of a stage's time that works through rows independently: the rest
# fits an encoder, reads and writes. Processor time of the parts at 10,000 rows.
CHUNK_ROWS = 4096
SHARES = {"tabular": 0.52, "terms": 0.36, "topics": 0.05, "neighbours": 0.99}


@dataclass(frozen=True)
class Work:
    """One stage.

    Parameters
    ----------
    name : str
        As in dvc.yaml; for a model ``train.MODEL``.
    serial : float
        Seconds on one machine, before and after the pieces.
    pieces : tuple of float
        Seconds of each piece.
    inputs : int
        Bytes that each worker needs before its first piece.
    """

    name: str
    serial: float
    pieces: tuple[float, ...] = ()
    inputs: int = 0


@dataclass(frozen=True)
class Network:
    """What it costs to use workers.

    Parameters
    ----------
    task_seconds : float
        Handing out a piece.
    bytes_per_second : float
        How fast inputs reach a worker.
    shared_folder : bool
        Whether all workers read the inputs at the same time, instead of one from another.
    """

    task_seconds: float
    bytes_per_second: float
    shared_folder: bool


def seconds_on(work: Work, workers: int, network: Network) -> float:
    """Return how long a stage takes with so many workers.

    Parameters
    ----------
    work : Work
        The stage.
    workers : int
        With one, pieces run where the stage runs, and nothing is sent.
    network : Network
        Costs beside the pieces.

    Examples
    --------
    >>> work, free = Work("train.ridge", 10.0, (6.0,) * 6), Network(0.0, 1.0, False)
    >>> [seconds_on(work, count, free) for count in (1, 2, 4, 64)]
    [46.0, 28.0, 22.0, 16.0]
    """
    if workers == 1 or not work.pieces:
        return work.serial + sum(work.pieces)
    times = 1 if network.shared_folder else copies_in_turn(workers)
    # When each worker has the inputs and is free.
    free = [times * work.inputs / network.bytes_per_second] * min(workers, len(work.pieces))
    handed_out = end = 0.0
    for piece in sorted(work.pieces, reverse=True):
        handed_out += network.task_seconds
        done = max(heapq.heappop(free), handed_out) + piece
        heapq.heappush(free, done)
        end = max(end, done)
    return work.serial + end


def copies_in_turn(workers: int) -> int:
    """Return how many copies of the inputs are made one after another until all workers have one.

    Dask gives the first worker a copy, and then lets each worker that has one serve two others at a
    time; pieces wait for the last.

    Examples
    --------
    >>> [copies_in_turn(workers) for workers in (1, 2, 3, 9, 64)]
    [1, 2, 3, 5, 9]
    """
    holders = copies = 1
    while holders < workers:
        served = min(workers - holders, 2 * holders)
        copies += -(-served // holders)
        holders += served
    return copies


def work_of(cost: Cost, folds: int, threads: int, inputs: int, *, with_rows: bool) -> Work:
    """Return the pieces of a stage that was measured with so many folds and threads."""
    if cost.pieces_seconds:
        # Fits use all threads, so a second of them is more work than one before or after.
        before = max(cost.seconds - cost.pieces_seconds, 0.0)
        serial = cost.cpu_seconds * before / (before + threads * cost.pieces_seconds)
        fits = folds + 1
        each = (cost.cpu_seconds - serial) / fits
        return Work(cost.stage, serial, (each,) * fits, inputs)
    share = SHARES.get(cost.stage, 0.0) if with_rows else 0.0
    if not share:
        return Work(cost.stage, cost.cpu_seconds)
    count = -(-cost.rows // CHUNK_ROWS)
    each = cost.cpu_seconds * share / count
    return Work(cost.stage, cost.cpu_seconds * (1 - share), (each,) * count, inputs)


def input_bytes(folder: Path, stage: str) -> int:
    """Return the bytes of the feature blocks, or of the products, that a stage's pieces read."""
    _, _, model = stage.partition(".")
    if not model:
        path = layout.TERMS if stage == "neighbours" else layout.PRODUCTS
        return (folder / path).stat().st_size
    blocks = params.value(f"train.{model}.blocks", folder / "params.yaml")
    return sum(block_path(folder / layout.FEATURES, name).stat().st_size for name in blocks)


def simulated(works: Iterable[Work], network: Network) -> tuple[list[float], str]:
    """Return the seconds of all stages for each number of workers, and what limits the last."""
    works = list(works)
    by_workers = [[seconds_on(work, count, network) for work in works] for count in WORKERS]
    last = by_workers[-1]
    slowest = sorted(zip(last, works, strict=True), key=lambda pair: -pair[0])[:3]
    parts = [
        f"{work.name} {seconds / sum(last):.0%}"
        + (
            f", one of its {len(work.pieces)} pieces {max(work.pieces):,.0f} s"
            if work.pieces
            else ""
        )
        for seconds, work in slowest
    ]
    return [sum(seconds) for seconds in by_workers], "; ".join(parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--rows", type=int, default=75_000)
    parser.add_argument("--task-seconds", type=float, default=0.0043)
    parser.add_argument("--bytes-per-second", type=float, default=130e6)
    return parser.parse_args()


def main() -> None:
    """Print a table of both cases."""
    arguments = _arguments()
    costs = [cost for cost in read_costs(arguments.work) if cost.rows == arguments.rows]
    if not costs:
        raise DataError(f"{arguments.work}: nothing was measured at {arguments.rows:,} rows")
    folder = arguments.work / str(arguments.rows)
    folds = params.value("data.folds", folder / params.PATH)
    threads = params.threads(folder / params.PATH)
    costs = [cost for cost in costs if cost.stage not in {"synthetic", "images"}]
    print(f"## {len(costs)} stages of {arguments.rows:,} products, simulated\n")
    header = ["pieces are", *(f"{count} workers" for count in WORKERS), "most of the last"]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    cases = (
        ("fits", False, False),
        ("fits and chunks of rows", True, False),
        ("the same, inputs in a shared folder", True, True),
    )
    for label, with_rows, shared_folder in cases:
        network = Network(arguments.task_seconds, arguments.bytes_per_second, shared_folder)
        works = [
            work_of(cost, folds, threads, input_bytes(folder, cost.stage), with_rows=with_rows)
            for cost in costs
        ]
        totals, limit = simulated(works, network)
        cells = [f"{total:,.0f} s ({totals[0] / total:.1f} times)" for total in totals]
        print("| " + " | ".join([label, *cells, limit]) + " |")


if __name__ == "__main__":
    run(main)
