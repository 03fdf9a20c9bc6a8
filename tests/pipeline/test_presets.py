"""The overrides of `make quick` and `make best`."""

import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from amlc import params
from amlc.experiments.runs import changed_parameters
from amlc.models.registry import members, regressor

ROOT = Path(__file__).parents[2]
PRESETS = sorted((ROOT / "presets").glob("*.txt"))


def overrides(preset: Path) -> list[str]:
    """Return the lines of a preset that the Makefile hands to DVC."""
    return [line for line in preset.read_text().splitlines() if line[:1].islower()]


def keys(preset: Path) -> set[str]:
    """Return the keys that a preset sets."""
    return {line.partition("=")[0] for line in overrides(preset)}


def test_presets_set_the_same_keys() -> None:
    """One after the other gives the same as the second alone."""
    quick, best = keys(ROOT / "presets/quick.txt"), keys(ROOT / "presets/best.txt")
    assert quick == best


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_valid_and_changes_only_keys_that_exist(preset: Path, tmp_path: Path) -> None:
    """Models read their settings as the stage train does."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    apply_overrides(str(path), overrides(preset))
    for name in members(params.value("models", path)):
        params.load(regressor(name).settings_type, f"train.{name}", path)
    before, after = params.read(ROOT / "params.yaml"), params.read(path)
    changed = changed_parameters(flat(before), flat(after))
    assert changed.keys() <= keys(preset)
    assert changed
    assert flat(before).keys() == flat(after).keys()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_has_no_character_that_the_shell_reads(preset: Path) -> None:
    """The Makefile passes its lines unquoted; no file name matches the list of models."""
    assert not set("".join(overrides(preset))) & set(" '\"$*?;&|<>`\\")


def flat(node: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Return the leaves of nested mappings by dotted key."""
    leaves: dict[str, object] = {}
    for key, value in node.items():
        path = f"{prefix}{key}"
        leaves |= flat(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return leaves
