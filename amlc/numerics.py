"""Environment variables for the same arithmetic on every x86-64 machine: import before NumPy."""

import os
import sys
from pathlib import Path

# On processors with AVX-512, OpenBLAS and NumPy's elementary functions choose other kernels, which
# round differently; both read these variables when NumPy is imported. Without AVX2 and FMA, the
# kernels for Haswell would end the process with an illegal instruction.
_WITHOUT_AVX512 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
_CPUINFO = Path("/proc/cpuinfo")


def variables(cpuinfo: Path) -> dict[str, str]:
    """Return the variables for the processor that a file in the format of /proc/cpuinfo describes.

    Parameters
    ----------
    cpuinfo : Path
        The file; a system without it gets no variables for its kernels.
    """
    settings = {
        # OpenMP threads sleep while they wait for others, instead of spinning: with another process
        # on the same cores, spinning made XGBoost 25 times slower.
        "OMP_WAIT_POLICY": "PASSIVE",
        # Another number of threads rounds differently, and OpenBLAS would take one for each core.
        "OPENBLAS_NUM_THREADS": "1",
    }
    try:
        with cpuinfo.open(encoding="utf-8") as lines:
            flags = next((line.split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return settings
    return settings | (_WITHOUT_AVX512 if {"avx2", "fma"} <= set(flags) else {})


# Whether NumPy chose its kernels without the variables, because it was imported before.
TOO_LATE = "numpy" in sys.modules and not variables(_CPUINFO).keys() <= os.environ.keys()
for _name, _value in variables(_CPUINFO).items():
    os.environ.setdefault(_name, _value)
