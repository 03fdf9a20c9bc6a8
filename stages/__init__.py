"""One script per stage: read parameters, read inputs, call amlc, write outputs."""

import sys
from pathlib import Path

# Only where Python runs a stage as a script, which it is about to look for.
if sys.argv[0] == "-m":
    from amlc.environment import use_own_python

    use_own_python(Path.cwd())

from amlc import numerics  # noqa: F401 - before any stage imports NumPy
from amlc.interrupts import end_quietly

if sys.argv[0] == "-m":
    end_quietly()
