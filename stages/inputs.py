"""List the features that each model sees: DVC fits a model again when its list changes."""

from amlc import layout, params
from amlc.errors import run
from amlc.models.inputs import block_names, reads_pictures, write_input_lists
from amlc.models.registry import members


def main() -> None:
    """Write data/inputs: one list for each model."""
    names = members(params.value("models"))
    sections = {name: params.value(f"train.{name}") for name in names}
    blocks = {name: block_names(name, section) for name, section in sections.items()}
    images = {
        name: layout.IMAGES for name, section in sections.items() if reads_pictures(name, section)
    }
    write_input_lists(layout.FEATURES, layout.INPUTS, blocks, images)
    print(f"inputs: {len(blocks)} lists in {layout.INPUTS}")


if __name__ == "__main__":
    run(main)
