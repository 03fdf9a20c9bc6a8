"""List the code that each stage imports: DVC reruns a stage when its list changes."""

from amlc import layout, params
from amlc.errors import run
from amlc.import_closure import write_code_lists
from amlc.models.registry import members, module_path


def main() -> None:
    """Write data/code: one list for each script, and for `train` one for each model."""
    models = {name: module_path(name) for name in members(params.value("models"))}
    count = write_code_lists(layout.ROOT, layout.CODE, models)
    print(f"code: {count} lists in {layout.CODE}")


if __name__ == "__main__":
    run(main)
