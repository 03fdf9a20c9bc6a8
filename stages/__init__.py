"""One script per stage: read parameters, read inputs, call amlc, write outputs."""

from amlc import numerics  # noqa: F401 - before any stage imports NumPy
