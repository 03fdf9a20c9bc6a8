"""Pieces on a Dask cluster of two processes, which all tests of this file share."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from amlc.errors import ExecutionError, MissingExtraError
from amlc.execution.backend import THREADS, Backend, in_order, open_pool
from amlc.execution.executor import open_backend
from amlc.execution.piece import Call
from amlc.execution.versions import installed
from amlc.execution.worker import ALLOCATOR
from amlc.features import tabular as tabular_module
from amlc.features.block import Block
from amlc.features.blocks import Tabular, Terms
from amlc.features.tabular import TabularFeatures, TabularSettings
from amlc.features.text import neighbours, tfidf
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.features.text.neighbours import nearest_train_products
from amlc.features.text.tfidf import TermFeatures, TermsSettings
from amlc.features.text.vocabulary import VectorizerSettings
from amlc.features.vision.block import VisionSettings, describe_products
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from amlc.models.crossfit import crossfit
from amlc.models.registry import regressor
from tests.execution.test_settings import settings
from tests.helpers import pieces
from tests.helpers.learning import MODELS, SECTIONS, make_products, with_test_rows
from tests.helpers.pictures import jpeg

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")
dask = pytest.importorskip("dask", reason="needs the extra cluster")

from amlc.execution import dask_backend
from amlc.execution.cluster import RemoteBackend
from amlc.execution.dask_backend import DaskBackend
from amlc.execution.scheduler import KEPT_MESSAGES, keep_copies

COMMON: Any = {"ngram_range": [1, 2], "min_df": 1, "max_features": 1000}
WORDS = VectorizerSettings(field="title", analyzer="word", **COMMON)
CHARS = VectorizerSettings(field="text", analyzer="char_wb", **COMMON)
TABULAR = TabularSettings(brand_min_rows=2, brand_share=0.5, max_levels=5)
NEIGHBOURS = NeighboursSettings(
    n_neighbors=5, n_compared=3, max_df=1.0, candidates=20, index_max_df=0.5, max_postings=100
)
REMOTE = "tcp://127.0.0.1:1"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def backend() -> Iterator[DaskBackend]:
    """Return a cluster of two processes."""
    local = settings(kind="dask", scheduler="local:2", connect_seconds=20.0, piece_seconds=60.0)
    with open_backend(local) as opened:
        assert isinstance(opened, DaskBackend)
        yield opened


def changed(backend: DaskBackend, **changes: Any) -> RemoteBackend:
    """Return the same cluster under other settings."""
    return RemoteBackend(backend.client, settings(kind="dask", **changes))


def run(backend: Backend, function: Callable[[Any, Any], Any], inputs: object) -> list[Any]:
    """Compute four pieces."""
    with open_pool(backend, inputs, at_once=2, unit="piece") as pool:
        return list(in_order(pool, function, range(4)))


def processes(backend: DaskBackend) -> set[int]:
    """Return the processes of the workers that answer."""
    return set(backend.client.run(os.getpid, on_error="ignore").values())


def wait_until_replaced(backend: DaskBackend, ended: set[int]) -> None:
    """Wait for two workers, none of which is a process that has ended or will soon."""
    for _ in range(600):
        found = processes(backend)
        if len(found) == 2 and not found & ended:
            return
        time.sleep(0.1)
    pytest.fail(f"of {ended}, one was not replaced: {found}")


def saved(backend: Backend, name: str, folder: Path, **changes: Any) -> dict[str, bytes]:
    """Return the files of a model that was cross-fitted there."""
    blocks, _, products = make_products(240, seed=1)
    products = with_test_rows(products, 200)
    model = regressor(name)
    make = partial(model, model.settings_type.model_validate({**SECTIONS[name], **changes}))
    result = crossfit(make, blocks, products, seed=2, threads=2, backend=backend)
    result.save(folder, products)
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", MODELS)
def test_models_have_the_same_bytes(backend: DaskBackend, tmp_path: Path, name: str) -> None:
    """As with threads: model, predictions, curve."""
    there = saved(backend, name, tmp_path / "cluster")
    assert there == saved(THREADS, name, tmp_path / "threads")


def test_workers_keep_freed_memory(backend: DaskBackend) -> None:
    """Dask would have them return it at once."""
    limits = backend.client.run(os.getenv, "MALLOC_TRIM_THRESHOLD_")
    assert set(limits.values()) == {ALLOCATOR["MALLOC_TRIM_THRESHOLD_"]}


def test_large_results_come_as_files(backend: DaskBackend, tmp_path: Path) -> None:
    """They lie in the folder of the work, and are removed as soon as they have arrived."""
    with changed(backend, shared_folder=str(tmp_path)).shared(None) as work:
        call = Call(pieces.numbers, 3, "piece 1", threads=1)
        result = changed(backend, shared_folder=str(tmp_path)).compute(call, work)
        (folder,) = (entry for entry in tmp_path.iterdir() if entry.is_dir())
        assert [entry.name for entry in folder.iterdir()] == ["inputs"]
    np.testing.assert_array_equal(result, pieces.numbers(None, 3))
    assert list(tmp_path.iterdir()) == []


def test_features_are_the_same(
    backend: DaskBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terms, numbers and keys, neighbours, descriptors of pictures; in pieces of a few rows."""
    products = pd.DataFrame({"category:shop": list("abab") * 10})
    texts = [f"Item Name: Lemon Soda {row} oz\nBullet Point 1: Cold {row % 7}" for row in range(40)]
    vectors = {"words": WORDS, "chars": CHARS}
    terms = TermFeatures(TermsSettings(vectorizers=vectors, max_chars=500)).fit(texts)
    tabular = TabularFeatures(TABULAR).fit(texts, products)
    grey = Picture(8, 8, jpeg(1))
    results = [FetchResult.ok(Picture(96, 64, jpeg(seed))) for seed in range(40)]
    links = [f"{row:02}" for row in range(40)]
    write_shard(tmp_path, 0, links, results, grey)

    def features(there: Backend) -> list[Block]:
        parts = list(terms.transform_parts(texts, backend=there))
        weights = Terms(sp.csr_array(sp.vstack(parts, format="csr")))
        arguments: Any = {"threads": 2, "backend": there}
        return [
            weights,
            Tabular.joined(list(tabular.transform_parts([(texts, products)], there))),
            nearest_train_products(weights.weights, np.arange(30), NEIGHBOURS, **arguments),
            describe_products(
                [[link] for link in links], tmp_path, VisionSettings(size=32), 2, there
            ),
        ]

    whole = features(THREADS)
    monkeypatch.setattr(tabular_module, "PIECE_ROWS", 7)
    monkeypatch.setattr(tfidf, "CHUNK_ROWS", 7)
    monkeypatch.setattr(neighbours, "PIECE_ROWS", 7)
    for number, (here, there) in enumerate(zip(whole, features(backend), strict=True)):
        paths = [tmp_path / f"{number}-{end}" for end in ("here", "there")]
        here.write(paths[0])
        there.write(paths[1])
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_interrupts_do_not_reach_workers(backend: DaskBackend) -> None:
    """Not even while they start; the stage ends them."""
    assert not any(run(backend, pieces.hears_interrupts, None))


def test_inputs_reach_workers_on_other_machines(backend: DaskBackend) -> None:
    """They are sent to each worker where there is no shared folder."""
    inputs = pieces.inputs()
    remote = changed(backend, scheduler=REMOTE)
    assert run(remote, pieces.add, inputs) == run(THREADS, pieces.add, inputs)


def test_lost_inputs_are_sent_again(backend: DaskBackend) -> None:
    """As when all workers that had them have ended; here they are taken away."""
    remote = changed(backend, scheduler=REMOTE)
    inputs = pieces.inputs()
    with open_pool(remote, inputs, at_once=2, unit="piece") as pool:
        assert list(in_order(pool, pieces.add, [1])) == [pieces.add(inputs, 1)]
        lost = [distributed.Future(key, backend.client) for key in backend.client.futures]
        backend.client.cancel(lost, force=True)
        assert list(in_order(pool, pieces.add, [2])) == [pieces.add(inputs, 2)]


def test_a_shared_folder_holds_the_inputs(backend: DaskBackend, tmp_path: Path) -> None:
    """While the work lasts."""
    remote = changed(backend, scheduler=REMOTE, shared_folder=str(tmp_path))
    with open_pool(remote, pieces.inputs(), at_once=2, unit="piece") as pool:
        assert len(list(tmp_path.glob(".amlc-pieces-*/inputs"))) == 1
        assert len(list(in_order(pool, pieces.add, range(4)))) == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [pieces.end, pieces.hang, pieces.out_of_memory])
def test_a_piece_whose_worker_is_lost_is_computed_again(
    backend: DaskBackend, tmp_path: Path, failure: Callable[[Any, Any], object]
) -> None:
    """A worker that ends, hangs or has no memory."""
    for piece in range(3):
        (tmp_path / f"tried-{piece}").touch()
    hasty = changed(backend, piece_seconds=1.0 if failure is pieces.hang else 60.0, retries=20)
    assert run(hasty, pieces.well_the_second_time, (tmp_path, failure)) == [0, 1, 2, 3]
    if failure is not pieces.out_of_memory:
        # A worker that was given up ends a second later, and would be missed by the next test.
        wait_until_replaced(backend, {int((tmp_path / "tried-3").read_text())})


def test_a_killed_worker_is_replaced(backend: DaskBackend) -> None:
    """By its nanny."""
    killed = min(processes(backend))
    os.kill(killed, signal.SIGKILL)
    wait_until_replaced(backend, {killed})
    heard = backend.client.run(pieces.hears_interrupts, None, None)
    assert not any(heard.values())


def test_a_piece_that_always_fails_is_named(backend: DaskBackend) -> None:
    """After the tries that the settings allow."""
    # A worker that a test before has ended may still count as one try.
    few = changed(backend, retries=3)
    with pytest.raises(ExecutionError, match=r"piece 1 was tried 4 times; .*it ran out of"):
        run(few, pieces.out_of_memory, None)


@pytest.mark.parametrize("failure", [pieces.end, pieces.fail])
def test_workers_that_compute_together_start_again_together(
    backend: DaskBackend, tmp_path: Path, failure: Callable[[Any, Any], object]
) -> None:
    """Where one is lost or fails, the other waits for it for ever, until it is restarted."""
    shares = [(tmp_path, failure)] * 2
    arguments: Any = {"errors": MissingExtraError, "name": "it", "threads": 1}
    results = backend.compute_together(pieces.prepare, pieces.together, shares, **arguments)
    assert results == [[0, 0, 1], [1, 0, 1]]


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_a_booster_fitted_together_has_seen_all_rows(
    backend: DaskBackend, tmp_path: Path, name: str
) -> None:
    """With the squared loss, each of the 200 train rows counts one; bytes stay the same."""
    changes = {"distributed": 2, "loss": "squared", "subsample": 1.0, "n_estimators": 2}
    first = saved(backend, name, tmp_path, **changes)
    assert saved(backend, name, tmp_path, **changes) == first
    model: Any = regressor(name).load(tmp_path)
    if name == "lightgbm":
        trees = model.booster.dump_model()["tree_info"]
        rows = [tree["tree_structure"]["internal_count"] for tree in trees]
    else:
        rows = [json.loads(tree)["cover"] for tree in model.booster.get_dump("", True, "json")]
    assert rows == [200, 200]


def test_an_error_passes_unchanged(backend: DaskBackend) -> None:
    """With its message, and without another try."""
    with pytest.raises(MissingExtraError, match="inputs 0 needs the extra 'cluster'"):
        run(backend, pieces.fail, "inputs")


def test_the_scheduler_does_not_keep_the_pieces(backend: DaskBackend) -> None:
    """Or its memory would grow with each of them, and that of the stage."""
    run(backend, pieces.add, pieces.inputs())

    def kept(dask_scheduler: Any) -> set[int]:
        return {stream.recent_message_log.maxlen for stream in dask_scheduler.stream_comms.values()}

    assert backend.client.run_on_scheduler(kept) == {KEPT_MESSAGES}
    stream: Any = backend.client.scheduler_comm
    assert stream.recent_message_log.maxlen == KEPT_MESSAGES


def test_the_scheduler_drops_no_copies_of_inputs(backend: DaskBackend) -> None:
    """Not even one that runs elsewhere: copying to many workers might never end."""
    assert not backend.client.amm.running()
    backend.client.amm.start()
    backend.client.run_on_scheduler(keep_copies)
    assert not backend.client.amm.running()


def test_a_worker_that_joins_later_is_checked_too(
    backend: DaskBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its first piece; the message says what differs."""
    monkeypatch.setattr(dask_backend, "installed", lambda: {**installed(), "numpy": "1.0"})
    with pytest.raises(ExecutionError, match=r"differs from this machine: numpy is .* 1\.0 here"):
        run(backend, pieces.add, pieces.inputs())
