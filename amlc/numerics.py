"""The same arithmetic on every x86-64 processor: import this before NumPy."""

import os
import platform

# OpenMP threads that wait for others sleep instead of spinning: beside another process on the same
# cores, spinning made XGBoost 25 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Linear algebra and NumPy's elementary functions pick other kernels, with other rounding, on
# processors with AVX-512; both read these variables when NumPy is imported.
if platform.machine() in {"x86_64", "AMD64"}:
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")
