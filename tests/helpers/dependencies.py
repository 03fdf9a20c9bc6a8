"""Write into dvc.yaml which modules each stage reaches: `python tests/helpers/dependencies.py`."""

import re
from collections.abc import Iterable
from pathlib import Path

import yaml
from closure import reached

ROOT = Path(__file__).parents[2]
_STAGE = re.compile(r"^  (\w+):$")
_MODULE = re.compile(r"^ +- (?:amlc|stages)/\S+\.py$")


def modules(stage: str, models: Iterable[str]) -> list[str]:
    """Return the modules of a stage; those of `train` are what any model reaches."""
    scripts = [Path(f"stages/{stage}.py")]
    if stage != "train":
        return sorted(str(path) for path in reached(ROOT, scripts))
    own = [Path(f"amlc/models/{model}.py") for model in models]
    shared = reached(ROOT, scripts + own) - set(own)
    return sorted([*(str(path) for path in shared), "amlc/models/${item}.py"])


def rewritten(text: str, models: list[str]) -> str:
    """Return dvc.yaml with each stage's modules after its other dependencies."""
    lines: list[str] = []
    stage = ""
    inside, indent = False, ""
    for line in text.splitlines():
        if found := _STAGE.match(line):
            stage = found[1]
        if inside and not line.strip().startswith("- "):
            lines += [f"{indent}- {name}" for name in modules(stage, models)]
            inside = False
        if _MODULE.match(line):
            continue
        if line.strip() == "deps:":
            inside, indent = True, " " * (line.index("deps:") + 2)
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    path = ROOT / "dvc.yaml"
    names = yaml.safe_load((ROOT / "params.yaml").read_text())["models"]
    path.write_text(rewritten(path.read_text(), names))
