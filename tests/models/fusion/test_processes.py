"""Several processes that compute one fit together."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from amlc.errors import ModelError, ParamsError
from amlc.models.fusion.processes import Processes, launch
from tests.helpers.deep import skip_without_deep
from tests.helpers.forks import Forks

# Found, not imported, because that takes seconds.
needs_accelerate = pytest.mark.skipif(
    find_spec("accelerate") is None, reason="needs the extra gpus: pip install -e '.[gpus]'"
)


def test_a_process_that_accelerate_started_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts no further processes."""
    monkeypatch.setenv("AMLC_LAUNCHED", "1")
    assert not launch("no-such-file.yaml", "threads", "stages.train", "fusion")


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_fits_elsewhere_are_not_shared_by_processes(executor: str) -> None:
    """Before anything starts, the message names both settings."""
    with pytest.raises(ParamsError, match=rf"accelerate: needs executor\.kind: .* not {executor}"):
        launch("accelerate.yaml", executor, "stages.train", "fusion")


def test_each_process_has_a_gpu() -> None:
    """The GPUs are those of the settings, in their order."""
    assert Processes(1, 2).device(["cuda:0", "cuda:3"]) == "cuda:3"
    assert Processes(1, 2).device(["cpu"]) == "cpu"
    with pytest.raises(ModelError, match="devices: 1 for 2 processes"):
        Processes(1, 2).device(["cuda:0"])


def test_each_process_needs_a_part_of_the_batch() -> None:
    """With fewer parts, one of them would have nothing to do."""
    with pytest.raises(ModelError, match="accumulation: 1: expected at least 2"):
        Processes(0, 2).check(1)


@needs_accelerate
def test_a_missing_configuration_is_named() -> None:
    """It says how to write one."""
    with pytest.raises(ParamsError, match=r"no such file: none\.yaml: run accelerate config"):
        launch("none.yaml", "threads", "stages.train", "fusion")


@needs_accelerate
def test_two_processes_equal_one_that_accumulates(tmp_path: Path) -> None:
    """Two of their fits have the same bytes, and one process computes the same up to rounding."""
    skip_without_deep()
    from tests.helpers import fusion, fusion_process  # noqa: PLC0415 - they need the extra deep

    changes = {"text": fusion.text_tower(tmp_path / "text"), "epochs": 2, "accumulation": 2}
    changes["early_stopping_epochs"] = 1
    with Forks((*fusion_process.PRELOADED, "accelerate")) as forks:
        alone = fusion_process.run(forks, tmp_path / "store", tmp_path / "alone", changes)
        assert alone[0] == 0, alone[1]
        changes["accelerate"] = "accelerate.yaml"
        for run in "12":
            folders = (tmp_path / f"store{run}", tmp_path / f"together{run}")
            codes, printed = fusion_process.run_together(forks, *folders, changes)
            assert codes == [0, 0], printed
    paths = [tmp_path / f"together{name}/predicted.npz" for name in ("1/0", "1/1", "2/0")]
    assert len({path.read_bytes() for path in paths}) == 1
    with np.load(paths[0]) as ours, np.load(tmp_path / "alone/predicted.npz") as expected:
        np.testing.assert_allclose(ours["log_price"], expected["log_price"], atol=1e-4)
