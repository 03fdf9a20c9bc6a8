"""List the code that each stage runs: DVC reruns a stage when its list changes."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from amlc import params
from amlc.closure import listing, reached
from amlc.errors import CheckError, ParamsError, first_few, run
from amlc.files import replacing_folder, write_text

ROOT = Path()


def main() -> None:
    """Write data/code: a list for each script, for `train` one for each model."""
    found = {name: reached(ROOT, scripts) for name, scripts in _scripts().items()}
    _check_watched(set().union(*found.values()))
    with replacing_folder(ROOT / "data/code") as folder:
        for name, modules in found.items():
            write_text(folder / f"{name}.txt", listing(ROOT, modules))
    print(f"code: {len(found)} lists in data/code")


def _scripts() -> dict[str, list[Path]]:
    files = [path.relative_to(ROOT) for path in (ROOT / "stages").glob("*.py")]
    scripts = {path.stem: [path] for path in sorted(files) if path.stem != "__init__"}
    # It loads its model's module by name.
    train = scripts.pop("train")
    for name in params.value("models"):
        model = Path(f"amlc/models/{name}.py")
        if not (ROOT / model).exists():
            raise ParamsError(f"models: no model {name!r}: there is no {model}")
        scripts[f"train.{name}"] = [*train, model]
    return scripts


def _check_watched(modules: Iterable[Path]) -> None:
    """Refuse a module whose edit DVC would not notice, as this stage does not depend on it."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_bytes())["stages"]
    watched = {Path(path) for path in stages["code"]["deps"]}
    missed = sorted(
        path.as_posix() for path in modules if watched.isdisjoint({path, *path.parents})
    )
    if missed:
        raise CheckError(
            f"dvc.yaml: add to the dependencies of the stage code: {first_few(missed)}"
        )


if __name__ == "__main__":
    run(main)
