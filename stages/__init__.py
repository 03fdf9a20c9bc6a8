"""One script per stage: read parameters, read inputs, call amlc, write outputs."""

import os
import platform

# OpenMP threads that wait for others sleep instead of spinning: beside another process on the same
# cores, spinning made XGBoost 25 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Bytes must not depend on which x86-64 processor a stage runs on: linear algebra and NumPy's
# elementary functions pick other kernels, with other rounding, on processors with AVX-512.
# This runs before any stage imports NumPy.
if platform.machine() in {"x86_64", "AMD64"}:
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")
