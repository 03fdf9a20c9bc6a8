"""Leave the modules that need the extra `deep` out of the doctests where it is not installed."""

import re
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent
_NEEDS_DEEP = re.compile(
    r"^(?:import|from) (?:torch|safetensors|.*fusion\.training|.*encoders\.frozen)\b", re.MULTILINE
)

collect_ignore = [
    str(path.relative_to(ROOT))
    for folder in ("amlc", "tests/helpers")
    for path in (ROOT / folder).rglob("*.py")
    if find_spec("torch") is None and _NEEDS_DEEP.search(path.read_text(encoding="utf-8"))
]
