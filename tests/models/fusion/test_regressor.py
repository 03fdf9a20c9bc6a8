"""The model as the pipeline uses it: fits one at a time, saved, loaded, refused."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.deep import skip_without_deep
from tests.helpers.fusion import first, image_tower, make_catalogue, settings, text_tower
from tests.helpers.learning import Catalogue, with_test_rows
from tests.helpers.pictures import jpeg

skip_without_deep()

import torch

from amlc.errors import MissingExtraError, ModelError
from amlc.features.content import Content, content_of
from amlc.features.encoders import runtime
from amlc.models.crossfit import crossfit
from amlc.models.fusion import regressor as module
from amlc.models.fusion.regressor import Fusion
from amlc.models.fusion.training import Trainer
from amlc.models.registry import regressor

FIT, NEW = np.arange(90), np.arange(90, 120)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test find the checkpoints of another."""
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return 120 products with texts and pictures."""
    return make_catalogue(120)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the settings of two tiny towers, of a short fit."""
    folder = tmp_path_factory.mktemp("towers")
    return {
        "text": text_tower(folder / "text", "mpnet"),
        "image": image_tower(folder / "image"),
        "epochs": 1,
    }


def fitted(catalogue: Catalogue, **changes: Any) -> Fusion:
    """Return a model fitted to the first products."""
    blocks, target, _ = catalogue
    model = Fusion(settings(**changes))
    return model.fit(blocks.take(FIT), target.take(FIT), seed=5, threads=1)


def all_files(folder: Path) -> list[Path]:
    """Return the files in a folder and below."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_loaded_model_predicts_the_same_without_the_first_weights(
    catalogue: Catalogue, towers: dict[str, Any], tmp_path: Path
) -> None:
    """The folder holds towers, tokenizers and preprocessing; nothing is pickled."""
    model = fitted(catalogue, **towers, networks=2)
    model.save(tmp_path / "model")
    for name in ("text", "image"):
        Path(towers[name]["model"]).rename(tmp_path / name)
    try:
        again = regressor("fusion").load(tmp_path / "model")
        new = catalogue[0].take(NEW)
        np.testing.assert_array_equal(again.predict(new), model.predict(new))
    finally:
        for name in ("text", "image"):
            (tmp_path / name).rename(towers[name]["model"])
    suffixes = {path.suffix for path in all_files(tmp_path / "model")}
    assert suffixes <= {".json", ".npz", ".safetensors", ".txt"}


def test_a_missing_or_damaged_file_is_named(
    catalogue: Catalogue, towers: dict[str, Any], tmp_path: Path
) -> None:
    """Libraries would take a default for a missing file."""
    folder = tmp_path / "model"
    fitted(catalogue, **towers).save(folder)
    for path in all_files(folder):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(ModelError, match=r"no saved .*: .*" + path.name):
            Fusion.load(folder)
        path.write_bytes(content)
    weights = folder / "network0/text/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match=r"text/model\.safetensors: damaged"):
        Fusion.load(folder)


def test_a_product_may_have_several_pictures(towers: dict[str, Any]) -> None:
    """A prediction is made from the mean over all of them, whatever their order."""
    blocks, target, _ = make_catalogue(20, seed=20)
    given = content_of(blocks)
    assert given is not None
    texts = given.texts.tolist()
    model = Fusion(settings(**towers, head_learning_rate=0.1))
    several = [(jpeg(row % 3), jpeg(5)) if row % 2 else (jpeg(row % 3),) for row in range(20)]
    model.fit(blocks.assign(content=Content.of_files(texts, several)), target, seed=1, threads=1)

    def price(*pictures: bytes) -> float:
        content = Content.of_files(texts[:1], [pictures])
        return float(model.predict(blocks.take(first(1)).assign(content=content))[0])

    one, other, both = price(jpeg(1)), price(jpeg(5)), price(jpeg(1), jpeg(5))
    assert both == pytest.approx(price(jpeg(5), jpeg(1)), abs=1e-6)
    assert one == pytest.approx(price(jpeg(1), jpeg(1)), abs=1e-6)
    assert len({round(value, 5) for value in (one, other, both)}) == 3


@pytest.mark.parametrize("rows", [3, 20])
def test_few_rows_are_enough(rows: int, towers: dict[str, Any]) -> None:
    """A batch may be larger than all rows together."""
    blocks, target, _ = make_catalogue(rows, seed=rows)
    groups = np.arange(rows, dtype=np.int32) // 2
    even = type(target)(target.log_price, groups)
    model = Fusion(settings(**towers)).fit(blocks, even, seed=1, threads=1)
    assert np.isfinite(model.predict(blocks)).all()


def test_crossfit_runs_one_fit_at_a_time_and_has_a_curve(
    catalogue: Catalogue, towers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch's generator and number of threads are those of the process."""
    running, most, lock = 0, 0, threading.Lock()
    fit = Fusion._fit  # noqa: SLF001 - a spy

    def counted(self: Fusion, *arguments: Any, **named: Any) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        fit(self, *arguments, **named)
        with lock:
            running -= 1

    monkeypatch.setattr(Fusion, "_fit", counted)
    products = with_test_rows(catalogue[2], 100)
    chosen = settings(**towers)
    result = crossfit(lambda: Fusion(chosen), catalogue[0], products, seed=2, threads=2)
    assert most == 1
    assert np.isfinite(result.log_price).all()
    assert result.curve[-1][1] == pytest.approx(np.mean(result.fold_smape), abs=1e-4)


def test_content_is_needed(catalogue: Catalogue, towers: dict[str, Any]) -> None:
    """The error names the block."""
    blocks, target, _ = catalogue
    with pytest.raises(ModelError, match="needs the blocks content"):
        Fusion(settings(**towers)).fit(
            blocks.select(["tabular", "neighbours"]), target, seed=1, threads=1
        )


def test_a_gpu_that_is_not_there_is_named(catalogue: Catalogue, towers: dict[str, Any]) -> None:
    """The message says what to set instead."""
    with pytest.raises(ModelError, match=r"has no cuda:99: set it to \[cpu\]"):
        fitted(catalogue, **towers, devices=["cuda:99"])


def test_a_gpu_with_too_little_memory_is_named(
    catalogue: Catalogue, towers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the settings to change."""

    def run(_: Trainer) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "run", run)
    with pytest.raises(ModelError, match="memory of cpu is too small: raise accumulation"):
        fitted(catalogue, **towers)


def test_each_device_has_one_fit_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third fit waits until one of two devices is free."""
    monkeypatch.setattr(module, "_is_available", lambda _: True)
    names = ["cuda:0", "cuda:1"]
    with ExitStack() as stack:
        first = stack.enter_context(module.free_device(names))
        with module.free_device(names) as second:
            assert {first, second} == set(names)
            third: list[str] = []

            def wait() -> None:
                with module.free_device(names) as name:
                    third.append(name)

            thread = threading.Thread(target=wait)
            thread.start()
            assert third == []
        thread.join()
        assert third == [second]


def test_threads_predict_one_after_another(
    catalogue: Catalogue, towers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that one moves to the CPU must not be in use by another."""
    model, new = fitted(catalogue, **towers), catalogue[0].take(NEW)
    expected = model.predict(new)
    busy, free = threading.Lock(), module._place  # noqa: SLF001 - a spy

    @contextmanager
    def place(*arguments: Any) -> Iterator[Any]:
        assert busy.acquire(blocking=False)
        with free(*arguments) as found:
            yield found
        busy.release()

    monkeypatch.setattr(module, "_place", place)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(model.predict, [new] * 4):
            np.testing.assert_array_equal(found, expected)


def test_a_model_of_a_gpu_predicts_on_a_machine_without_one(
    catalogue: Catalogue, towers: dict[str, Any], tmp_path: Path
) -> None:
    """A bundle may be used anywhere."""
    model = fitted(catalogue, **towers)
    expected = model.predict(catalogue[0].take(NEW))
    model.settings = settings(**towers, devices=["cuda:99"])
    model.save(tmp_path)
    again = Fusion.load(tmp_path).predict(catalogue[0].take(NEW))
    np.testing.assert_allclose(again, expected, atol=1e-5)


def test_without_the_extra_the_command_is_named(
    towers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read."""
    monkeypatch.setattr(runtime, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="the model fusion needs the extra 'deep'"):
        Fusion(settings(**towers))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft calls what transformers renames
def test_low_rank_updates_are_merged(
    catalogue: Catalogue, towers: dict[str, Any], tmp_path: Path
) -> None:
    """The saved towers have the layers of the pretrained ones, and need no further package."""
    pytest.importorskip("peft")
    model = fitted(catalogue, **{**towers, "image": None}, lora_rank=2)
    model.save(tmp_path)
    tower = model.networks[0].text
    assert tower is not None
    names = dict(tower.named_parameters())
    assert not [name for name in names if "lora" in name]
    new = catalogue[0].take(NEW)
    np.testing.assert_allclose(Fusion.load(tmp_path).predict(new), model.predict(new), atol=1e-6)


def test_a_change_of_any_module_that_a_fit_runs_is_noticed() -> None:
    """A checkpoint of other code must not go on."""
    names = {str(path) for path in module.code_files()}
    assert {
        "amlc/models/fusion/training.py",
        "amlc/features/encoders/text_tower.py",
        "amlc/models/design.py",
    } <= names
