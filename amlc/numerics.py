"""Environment variables for the same arithmetic on every x86-64 processor: import before NumPy."""

import os
import platform

# OpenMP threads sleep while they wait for others, instead of spinning: with another process on the
# same cores, spinning made XGBoost 25 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# On processors with AVX-512, OpenBLAS and NumPy's elementary functions choose other kernels, which
# round differently; both read these variables when NumPy is imported.
if platform.machine() in {"x86_64", "AMD64"}:
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")
