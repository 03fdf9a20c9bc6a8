"""Benchmarks are scripts: Python puts their folder on its path when it runs one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
