#!/bin/sh
# Removes from a virtual environment what serving never loads, and compiles what it does: sh slim.sh FOLDER
set -eu
python="$(realpath "$1")/bin/python"
cd "$1"/lib/python3.*/site-packages
# The tests of NumPy, SciPy, pandas and Arrow, and headers for compilers.
find . -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
# Arrow's clients for Flight and S3; a bundle is a folder of local files.
rm -f pyarrow/libarrow_flight.so* pyarrow/libarrow_s3.so* pyarrow/_flight*.so pyarrow/_s3fs*.so
# Bytecode of everything would be 50 MB more. Without that of what it loads, the service would compile it at
# every start, because its user may not write it.
find . -type d -name __pycache__ -prune -exec rm -rf {} +
PYTHONDONTWRITEBYTECODE='' "$python" -c "
import amlc.cli, amlc.pricing.workers, amlc.service.server
from amlc.models.registry import MODELS, regressor
for name in MODELS:
    try:
        regressor(name)
    except ModuleNotFoundError:
        pass  # It needs an extra that the container does not have.
"
