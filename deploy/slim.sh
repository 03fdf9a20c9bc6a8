#!/bin/sh
# Removes from a virtual environment what serving never loads: sh slim.sh FOLDER
set -eu
packages="$(echo "$1"/lib/python3.*/site-packages)"
cd "$packages"
# The tests of NumPy, SciPy, pandas and Arrow, and headers for compilers.
find . -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
# Arrow's clients for Flight and S3; a bundle is a folder of local files.
rm -f pyarrow/libarrow_flight.so* pyarrow/libarrow_s3.so* pyarrow/_flight*.so pyarrow/_s3fs*.so
find . -type d -name __pycache__ -prune -exec rm -rf {} +
