"""The time that a stage takes to start."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Each takes a second or more to import, and no stage needs it before it has read its settings.
HEAVY = {"fastapi", "lightgbm", "matplotlib", "optuna", "seaborn", "sklearn", "torch", "xgboost"}


def test_no_stage_imports_heavy_libraries_at_its_start() -> None:
    """A wrong setting is reported in a second."""
    stages = [f"stages.{path.stem}" for path in sorted((ROOT / "stages").glob("*.py"))]
    program = f"import sys, {', '.join(stages)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(done.stdout.split())


def test_the_base_product_never_imports_torch() -> None:
    """Pricing, the service and every model but those of the extra deep run without it."""
    program = (
        "import sys; import amlc.cli, amlc.pricing.batch, amlc.service.server, stages.bundle; "
        "from amlc.models.registry import MODELS, regressor; "
        "[regressor(name) for name in MODELS if name != 'fusion']; "
        "assert not {'torch', 'transformers', 'tokenizers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
