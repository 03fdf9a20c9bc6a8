"""The variables that choose the kernels of numerical libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amlc.numerics import variables

AVX512 = "processor : 0\nflags : fpu avx2 fma avx512f\n\nprocessor : 1\nflags : none\n"
KERNELS = {"OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"}


def test_processors_with_avx512_use_the_kernels_of_those_without(tmp_path: Path) -> None:
    """Where AVX2 and FMA are, their kernels are used."""
    (tmp_path / "cpuinfo").write_text(AVX512)
    assert variables(tmp_path / "cpuinfo").keys() >= KERNELS


@pytest.mark.parametrize("text", ["flags : avx\n", "flags : avx2\n", "Features : asimd\n", None])
def test_older_and_other_processors_keep_their_own(tmp_path: Path, text: str | None) -> None:
    """Kernels for AVX2 would end their process with an illegal instruction."""
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert variables(tmp_path / "cpuinfo").keys() == {"OMP_WAIT_POLICY"}


def test_numpy_knows_the_kernels_that_are_switched_off() -> None:
    """An unknown name would be a warning, and would switch off nothing."""
    program = (
        "import amlc.numerics, numpy; "
        "found = numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', []); "
        "assert not [name for name in found if name == 'X86_V4' or 'AVX512' in name], found"
    )
    kernels = ("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE")
    environment = {name: value for name, value in os.environ.items() if name not in kernels}
    command = [sys.executable, "-W", "error", "-c", program]
    subprocess.run(command, check=True, env=environment)
