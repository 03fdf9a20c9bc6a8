"""The variables that choose the kernels of numerical libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amlc.numerics import variables

CPUINFO = Path("/proc/cpuinfo")
AVX512 = "processor : 0\nflags : fpu avx2 fma avx512f\n\nprocessor : 1\nflags : none\n"
KERNELS = {"OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"}


def environment() -> dict[str, str]:
    """Return the environment without the variables that `amlc.numerics` sets."""
    return {name: value for name, value in os.environ.items() if name not in variables(CPUINFO)}


def test_processors_with_avx512_use_the_kernels_of_those_without(tmp_path: Path) -> None:
    """Where AVX2 and FMA are, their kernels are used."""
    (tmp_path / "cpuinfo").write_text(AVX512)
    assert variables(tmp_path / "cpuinfo").keys() >= KERNELS


@pytest.mark.parametrize("text", ["flags : avx\n", "flags : avx2\n", "Features : asimd\n", None])
def test_older_and_other_processors_keep_their_own(tmp_path: Path, text: str | None) -> None:
    """Kernels for AVX2 would end their process with an illegal instruction."""
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert KERNELS.isdisjoint(variables(tmp_path / "cpuinfo"))


def test_numpy_knows_the_kernels_that_are_switched_off() -> None:
    """An unknown name would be a warning, and would switch off nothing."""
    program = (
        "import amlc.numerics, numpy; "
        "found = numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', []); "
        "assert not [name for name in found if name == 'X86_V4' or 'AVX512' in name], found"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env=environment())


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: BLAS has one thread anyway")
def test_blas_does_not_count_the_cores() -> None:
    """The topics of a catalogue do not depend on the number of cores."""
    program = (
        "import amlc.numerics, numpy; from threadpoolctl import threadpool_info; "
        "assert {pool['num_threads'] for pool in threadpool_info()} == {1}"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=environment())
