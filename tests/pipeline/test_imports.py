"""Imports point one way."""

from pathlib import Path

import pytest

from amlc.closure import imported, module_of

LAYERS = [
    {"stages", "amlc.predict", "amlc.serve"},
    {"amlc.report", "amlc.serving"},
    {"amlc.models"},
    {"amlc.features"},
    {"amlc.images", "amlc.catalog"},
    {"amlc.metrics", "amlc.params", "amlc.files", "amlc.errors", "amlc.closure"},
]
ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    path.relative_to(ROOT)
    for folder in ("amlc", "stages")
    for path in (ROOT / folder).rglob("*.py")
)


def layer(module: str) -> int:
    """Return how far below the stages a module stands; the bare package is lowest."""
    for depth, names in enumerate(LAYERS):
        if any(module == name or module.startswith(f"{name}.") for name in names):
            return depth
    assert module == "amlc", f"{module} belongs to no layer"
    return len(LAYERS)


@pytest.mark.parametrize("path", SCRIPTS, ids=str)
def test_a_module_imports_only_its_own_layer_or_lower_ones(path: Path) -> None:
    """The arrow of DESIGN: stages, report and serving, models, features, images and catalog."""
    module = module_of(path)
    upward = {name for name in imported(ROOT, path) if layer(name) < layer(module)}
    assert not upward


@pytest.mark.parametrize("path", SCRIPTS, ids=str)
def test_no_stage_is_imported(path: Path) -> None:
    """Stages are scripts; what two of them share belongs to amlc."""
    assert not {name for name in imported(ROOT, path) if name.startswith("stages.")}
