"""One script per stage: read parameters, read inputs, call amlc, write outputs."""

import sys

from amlc import numerics  # noqa: F401 - before any stage imports NumPy
from amlc.interrupts import end_quietly

# Only where Python runs a stage as a script, which it is about to look for.
if sys.argv[0] == "-m":
    end_quietly()
