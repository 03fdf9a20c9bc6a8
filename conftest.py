"""Leave the modules that need the extra `deep` out of the doctests where it is not installed."""

import re
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent
_NEEDS_TORCH = re.compile(r"^(?:import|from) torch\b", re.MULTILINE)

collect_ignore = [
    str(path.relative_to(ROOT))
    for path in (ROOT / "amlc").rglob("*.py")
    if find_spec("torch") is None and _NEEDS_TORCH.search(path.read_text(encoding="utf-8"))
]
