"""Importing this module makes amlc importable from the checkout of the benchmark."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if str(ROOT) not in sys.path:
    sys.path.insert(1, str(ROOT))
