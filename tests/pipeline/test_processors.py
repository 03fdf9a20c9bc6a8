"""The pipeline with the kernels that other processors choose."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from amlc import numerics
from amlc.files import read_json
from stages import guards
from tools.rebuilt import differences

ROOT = Path(__file__).parents[2]
# The variables that `amlc.numerics` leaves as they are: an old processor, and all kernels of this.
PROCESSORS = {
    "old": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    },
    "native": {"OPENBLAS_CORETYPE": "", "NPY_DISABLE_CPU_FEATURES": ""},
}
KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES")
PROGRAM = """
import contextlib, sys
from pathlib import Path
from stages import guards
from tests.helpers.tiny import run_pipeline
folder = Path(sys.argv[1])
run_pipeline(folder)
with contextlib.chdir(folder):
    guards.main()
"""


@pytest.fixture(scope="module")
def folders(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folder of a small pipeline for each setting of the kernels; "pinned" is ours."""
    assert not numerics.TOO_LATE
    pinned = tmp_path_factory.mktemp("pinned") / "run"
    result = {"pinned": Path(shutil.copytree(pipeline.parent, pinned))}
    with contextlib.chdir(pinned):
        guards.main()
    for name, variables in PROCESSORS.items():
        result[name] = tmp_path_factory.mktemp(name)
        environment = {key: value for key, value in os.environ.items() if key not in KERNELS}
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(result[name])],
            cwd=ROOT,
            env={**environment, **variables, "PYTHONPATH": str(ROOT)},
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "processor"),
    [
        ("features/tabular.parquet", "old"),
        ("features/tabular.parquet", "native"),
        ("features/vision.npy", "old"),
        ("features/vision.npy", "native"),
        # Without AVX2, NumPy's logarithm of float32 rounds differently, and so do the terms.
        ("features/topics.npy", "native"),
        ("models/forest/predictions.parquet", "native"),
        ("models/lightgbm/predictions.parquet", "native"),
        ("models/xgboost/predictions.parquet", "native"),
    ],
)
def test_features_and_trees_are_the_same_bytes(
    folders: dict[str, Path], name: str, processor: str
) -> None:
    """What trees split on does not depend on the processor, and neither do they."""
    pinned, other = (folders[key] / "data" / name for key in ("pinned", processor))
    assert pinned.read_bytes() == other.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["old", "native"])
@pytest.mark.parametrize("name", ["metrics.json", "details.json", "guards.json"])
def test_metrics_agree_to_four_digits(folders: dict[str, Path], processor: str, name: str) -> None:
    """The last bits of ridge and network do not show in any score.

    With 150 rows they may show in the width of the interval, which is that of single rows.
    """
    pinned, other = (read_json(folders[key] / "metrics" / name) for key in ("pinned", processor))
    different = differences(pinned, other, name)
    assert not [line for line in different if "interval: median_ratio" not in line]
