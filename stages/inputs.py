"""List the features that each model sees: DVC fits a model again when its list changes."""

from amlc import layout, params
from amlc.errors import run
from amlc.models.inputs import block_names, write_input_lists
from amlc.models.registry import members


def main() -> None:
    """Write data/inputs: one list for each model."""
    names = members(params.value("models"))
    blocks = {name: block_names(name, params.value(f"train.{name}")) for name in names}
    write_input_lists(layout.FEATURES, layout.INPUTS, blocks)
    print(f"inputs: {len(blocks)} lists in {layout.INPUTS}")


if __name__ == "__main__":
    run(main)
