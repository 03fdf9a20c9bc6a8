"""Write the parts of README.md that the pipeline knows: `python -m tools.readme`.

Such a part stands between ``<!-- made: NAME -->`` and ``<!-- end: NAME -->``.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from amlc.errors import DataError, run
from amlc.files import read_json, write_text
from amlc.report.results import results
from tools.record import RECORD

README = Path("README.md")
PART = re.compile(r"<!-- made: (\w+) -->\n.*?<!-- end: \1 -->", re.DOTALL)


def renewed(text: str, root: Path) -> str:
    """Return README.md with every part made anew.

    Parameters
    ----------
    text : str
        README.md as it is.
    root : Path
        The repository's root, where metrics and dvc.yaml are read.

    Raises
    ------
    DataError
        A part is unknown, stands there twice or not at all, or a file that it is made from is
        missing.
    """
    found = PART.findall(text)
    if sorted(found) != sorted(PARTS):
        raise DataError(
            f"{README}: expected the parts {', '.join(PARTS)}, each once, "
            f"got {', '.join(found) or 'none'}"
        )
    return PART.sub(lambda part: _part(part[1], root), text)


def _part(name: str, root: Path) -> str:
    return f"<!-- made: {name} -->\n{PARTS[name](root)}\n<!-- end: {name} -->"


def sample_part(root: Path) -> str:
    """Return what `make repro` ends with, and what there is to reach."""
    sample = read_json(root / "metrics/synthetic.json")
    return (
        f"```\n{results(root)}\n```\n\n"
        f"The best possible SMAPE on this sample is {sample['smape_floor']:.2f} %, a constant "
        f"price has {sample['smape_constant']:.2f} %."
    )


def real_part(root: Path) -> str:
    """Return the table of the recorded run on real products."""
    kept = read_json(root / RECORD)
    blend, others = kept["blend"], kept["without"]
    data, images = kept["data"], kept["images"]
    head = ["model", "SMAPE", "standard error", "weight in the blend"]
    head += [f"SMAPE without `{name}`" for name in others]
    rows = [
        [
            name,
            f"{score['smape']:.2f}",
            f"{score['smape_se']:.2f}",
            f"{score['weight']:.2f}",
            *(_other(column["models"].get(name), score["smape"]) for column in others.values()),
        ]
        for name, score in sorted(kept["models"].items(), key=lambda item: -item[1]["smape"])
    ]
    interval = f"95 % interval {blend['smape_low']:.2f} to {blend['smape_high']:.2f}"
    columns = [f"{column['blend']:.2f}" for column in others.values()]
    last = [
        "**blend**",
        f"**{blend['smape']:.2f}**",
        f"{blend['smape_se']:.2f}",
        interval,
        *columns,
    ]
    counts = (
        f"{data['train']['kept']:,} train rows, {data['test']['rows']:,} test rows, "
        f"{images['ok']:,} of {images['links']:,} pictures at hand:"
    )
    return f"{counts}\n\n{_table([head, *rows, last])}"


def _other(smape: float | None, full: float) -> str:
    """Return the score without something; "-" for a model that it does not concern."""
    return "-" if smape is None or smape == full else f"{smape:.2f}"


def stages_part(root: Path) -> str:
    """Return the table of stages in dvc.yaml."""
    rows = []
    for name, stage in _stages(root):
        made = [f"`{path.replace('${item}', 'MODEL')}`" for path in _paths(stage, *MADE)]
        does = stage["desc"].replace("${item}", "MODEL")
        rows.append([_label(name, stage), does, ", ".join(made)])
    return _table([["stage", "does", "writes"], *rows])


def graph_part(root: Path) -> str:
    """Return the graph of stages as a Mermaid diagram, one node for all models."""
    # All other stages depend on `code`.
    stages = [(name, stage) for name, stage in _stages(root) if name != "code"]
    lines = ["```mermaid", "flowchart LR"]
    lines += [f'\t{name}["{_label(name, stage)}"]' for name, stage in stages]
    for name, stage in stages:
        made = _paths(stage, *MADE)
        for other, reader in stages:
            if any(_meet(path, dep) for path in made for dep in _paths(reader, "deps")):
                lines.append(f"\t{name} --> {other}")
    return "\n".join([*lines, "```"])


PARTS: dict[str, Callable[[Path], str]] = {
    "sample": sample_part,
    "real": real_part,
    "graph": graph_part,
    "stages": stages_part,
}
MADE = ("outs", "metrics", "plots")


def _stages(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and definition of each stage, with `data.dir` filled in."""
    text = (root / "dvc.yaml").read_text(encoding="utf-8")
    folder = yaml.safe_load((root / "params.yaml").read_bytes())["data"]["dir"]
    stages: dict[str, Any] = yaml.safe_load(text.replace("${data.dir}", folder))["stages"]
    for name, stage in stages.items():
        yield name, {**stage.get("do", stage), "each": "foreach" in stage}


def _label(name: str, stage: dict[str, Any]) -> str:
    return f"{name}@MODEL" if stage["each"] else name


def _paths(stage: dict[str, Any], *keys: str) -> list[str]:
    """Return the paths of some of a stage's lists, written plain or with flags."""
    entries = [entry for key in keys for entry in stage.get(key, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _meet(made: str, dep: str) -> bool:
    """Say whether one path is the other or lies inside it."""
    one, two = Path(made), Path(dep)
    return one == two or one in two.parents or two in one.parents


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def main() -> None:
    """Rewrite README.md in the current folder."""
    text = README.read_text(encoding="utf-8")
    new = renewed(text, Path())
    write_text(README, new)
    print(f"{README}: {'is up to date' if new == text else 'renewed'}")


if __name__ == "__main__":
    run(main)
