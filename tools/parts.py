"""The generated parts of README.md and docs."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from amlc import layout
from amlc.catalog.validation import REASONS
from amlc.errors import DataError
from amlc.evaluation.metrics_files import Scores
from amlc.files import read_json
from amlc.report.results import interval, results
from amlc.service.limits import Limits
from tools.record import REAL, RESULTS

Part = Callable[[Path], str]
Rows = list[list[str]]
# Columns of the benchmark's table, and what the documentation calls them.
PEER_COLUMNS = {
    "recipe": "recipe",
    "SMAPE": "SMAPE",
    "behind the blend": "behind the blend",
    "in se": "in standard errors",
    "seconds": "seconds",
    "peak MB": "peak MB",
}
DOWNLOAD_COLUMNS = {
    "downloader": "downloader",
    "images/s": "images/s",
    "CPU s / 1,000": "CPU s / 1,000",
    "MB / 1,000": "MB received / 1,000",
    "peak MB": "peak MB",
}


def score(root: Path) -> str:
    """Return the sentence with the blend's score on real products."""
    record = read_json(root / REAL)
    blend, rows = Scores(**record["blend"]), record["data"]["train"]["kept"]
    return (
        f"On {rows:,} products of the Amazon ML Challenge 2025 it reaches a SMAPE of "
        f"**{blend.smape:.2f} %** ({interval(blend, root)}) without pretrained weights."
    )


def headline(root: Path) -> str:
    """Return the table of blend, best model, best other recipe and constant price."""
    real, record = read_json(root / REAL), read_json(root / RESULTS / "peers.json")
    name, best = min(real["models"].items(), key=lambda item: item[1]["smape"])
    header, *peers = _sourced(record_cells(record))
    positions = record_positions(header, ("recipe", "SMAPE", "source"), "peers.json")
    peers = [row for row in peers if row[positions["source"]] != "amlc"]
    constant = next(row for row in peers if "constant" in row[positions["recipe"]])
    peers = [row for row in peers if row is not constant]
    peer = min(peers, key=lambda row: float(row[positions["SMAPE"]]))
    rows = [
        ["", "SMAPE, %", "commit"],
        ["**blend of all models**", f"**{real['blend']['smape']:.2f}**", real["commit"]],
        [f"best single model: {name}", f"{best['smape']:.2f}", real["commit"]],
        [
            f"best of {len(peers)} other recipes: {peer[positions['recipe']]}",
            peer[positions["SMAPE"]],
            record["commit"],
        ],
        ["the median price for every product", constant[positions["SMAPE"]], record["commit"]],
    ]
    return _table(rows)


def synthetic(root: Path) -> str:
    """Return what `make repro` prints at its end, and the bounds of the score."""
    metrics = read_json(root / layout.SYNTHETIC_METRICS)
    return (
        f"```\n{results(root, timed=False)}\n```\n\n"
        f"The best possible SMAPE on this catalogue is {metrics['smape_floor']:.2f} %; a constant "
        f"price has {metrics['smape_constant']:.2f} %."
    )


def real(root: Path) -> str:
    """Return the models' table of the run on real products."""
    record = read_json(root / REAL)
    blend, data, images = Scores(**record["blend"]), record["data"], record["images"]
    rows = [["model", "SMAPE", "standard error", "weight in the blend"]]
    for name, score in sorted(record["models"].items(), key=lambda item: -item[1]["smape"]):
        rows.append([name, *(f"{score[key]:.2f}" for key in ("smape", "smape_se", "weight"))])
    cells = [f"**{blend.smape:.2f}**", f"{blend.smape_se:.2f}", interval(blend, root)]
    return (
        f"Commit `{record['commit']}`: {data['train']['kept']:,} train rows, "
        f"{data['test']['rows']:,} test rows, {images['ok']:,} of {images['links']:,} pictures "
        f"available.\n\n{_table([*rows, ['**blend**', *cells]])}"
    )


def _recipes(name: str) -> Part:
    """Return the part that shows the other recipes beside amlc's models on some catalogue."""

    def part(root: Path) -> str:
        kept = read_json(root / RESULTS / f"{name}.json")
        return _measured(kept, _chosen(_sourced(record_cells(kept)), PEER_COLUMNS, f"{name}.json"))

    return part


def _recorded(name: str) -> Part:
    """Return the part that shows the table of a record as it is."""

    def part(root: Path) -> str:
        kept = read_json(root / RESULTS / f"{name}.json")
        return _measured(kept, record_cells(kept))

    return part


def guards(root: Path) -> str:
    """Return the results of the guards on real products, and the coverage of the interval."""
    record = read_json(root / REAL)
    permutation, leak, drift = (record["guards"][name] for name in ("permutation", "leak", "drift"))
    shares = record["interval"]
    column, auc = max(drift["columns"].items(), key=lambda item: item[1])
    results_by_check = {
        "permutation": f"SMAPE {permutation['smape']:.2f}; the constant has "
        f"{permutation['constant']:.2f} (standard error of the difference "
        f"{permutation['gap_se']:.2f})",
        "leak": f"the strongest feature, `{leak['feature']}`, explains {leak['share']:.0%} of the "
        f"variance of log price, together with `{leak['partner']}`",
        "train against test": f"AUC {drift['auc']:.3f}; the column that separates them best is "
        f"`{column}` ({auc:.3f})",
        "interval": f"holds {shares['coverage']:.1f} % of the prices: "
        f"{_range(shares['coverage_by_predicted_decile'])} in each tenth by predicted price, "
        f"{_range(shares['coverage_by_price_decile'])} in each tenth by actual price; "
        f"half of them span a factor of less than {shares['median_ratio']:.2f}",
    }
    return _measured(record, [["check", "result"], *map(list, results_by_check.items())])


def download(root: Path) -> str:
    """Return the speed of the downloader beside that of others."""
    record = read_json(root / RESULTS / "download.json")
    return _measured(record, _chosen(record_cells(record), DOWNLOAD_COLUMNS, "download.json"))


def serve(root: Path) -> str:
    """Return the measurements of the service under load."""
    record = read_json(root / RESULTS / "serve.json")
    return _measured(record, [["", ""], *record_cells(record)])


def row_errors(root: Path) -> str:  # noqa: ARG001 - every part takes the root
    """Return the reasons for which a row of the catalogue is refused."""
    rows = [[f"`{name}`", what, remedy] for name, (what, remedy) in REASONS.items()]
    return _table([["reason", "what is wrong", "what to do"], *rows])


def limits(root: Path) -> str:  # noqa: ARG001 - as above
    """Return the options of the service."""
    rows = [
        [f"`--{name.replace('_', '-')}`", _shown(field.default), field.description or ""]
        for name, field in Limits.model_fields.items()
    ]
    return _table([["option", "default", "meaning"], *rows])


def stages(root: Path) -> str:
    """Return the table of stages in dvc.yaml."""
    rows = []
    for name, stage in _stages(root):
        outputs = [f"`{path.replace('${item}', 'MODEL')}`" for path in _paths(stage, *OUTPUTS)]
        text = stage["desc"].replace("${item}", "MODEL")
        rows.append([_label(name, stage), text, ", ".join(outputs)])
    return _table([["stage", "what it does", "writes"], *rows])


def graph(root: Path) -> str:
    """Return the graph of stages as a Mermaid diagram, one node for all models."""
    # All other stages depend on `code`.
    nodes = [(name, stage) for name, stage in _stages(root) if name != "code"]
    lines = ["```mermaid", "flowchart LR"]
    lines += [f'\t{name}["{_label(name, stage)}"]' for name, stage in nodes]
    for name, stage in nodes:
        outputs = _paths(stage, *OUTPUTS)
        for other, reader in nodes:
            if any(_overlap(path, dep) for path in outputs for dep in _paths(reader, "deps")):
                lines.append(f"\t{name} --> {other}")
    return "\n".join([*lines, "```"])


# Records of recipes beside amlc on a catalogue; records whose table is shown as it is.
RECIPES = (
    "peers",
    "costco",
    "fresh_basket",
)
RECORDED = (
    "cost",
    "executors",
    "extrapolation",
    "features",
    "features_network",
    "held_out",
    "killed_workers",
    "learning_curve",
    "losses",
    "scale",
    "scale_simulation",
    "scheduler_memory",
)
PARTS: dict[str, Part] = {
    **{
        part.__name__: part
        for part in (
            *(score, headline, synthetic, real),
            *(guards, download, serve, row_errors, limits, stages, graph),
        )
    },
    **{name: _recipes(name) for name in RECIPES},
    **{name: _recorded(name) for name in RECORDED},
}
OUTPUTS = ("outs", "metrics", "plots")


def record_cells(record: dict[str, Any]) -> Rows:
    """Return the cells of a record's first table, the header first."""
    lines = [line for line in record["tables"][0]["lines"] if set(line) - set("|- ")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def record_positions(header: Sequence[str], names: Sequence[str], source: str) -> dict[str, int]:
    """Return the positions of some columns of a record's table.

    Raises
    ------
    DataError
        There is no such column.
    """
    missing = [name for name in names if name not in header]
    if missing:
        raise DataError(
            f"{RESULTS / source}: its table lacks the columns {', '.join(missing)}; "
            f"it has {', '.join(header)}"
        )
    return {name: header.index(name) for name in names}


def _chosen(cells: Rows, columns: dict[str, str], source: str) -> Rows:
    """Return some columns of a table under other names."""
    positions = record_positions(cells[0], list(columns), source).values()
    return [
        list(columns.values()),
        *([row[position] for position in positions] for row in cells[1:]),
    ]


def _sourced(cells: Rows) -> Rows:
    """Return the recipes' table, the name of each recipe with its source."""
    header, *rows = cells
    positions = record_positions(header, ("recipe", "source"), "peers.json")
    for row in rows:
        name, source = row[positions["recipe"]], row[positions["source"]]
        if re.match(r"https?://\S+$", source):
            row[positions["recipe"]] = f"[{name}]({source})"
        elif source not in {"amlc", "-"}:
            row[positions["recipe"]] = f"{name}<br>{source}"
    return [header, *rows]


def _measured(record: dict[str, Any], cells: Rows) -> str:
    return f"Commit `{record['commit']}`:\n\n{_table(cells)}"


def _range(percentages: dict[str, float]) -> str:
    return f"{min(percentages.values()):.0f} to {max(percentages.values()):.0f} %"


def _shown(default: Any) -> str:
    """Return a limit's default as the command line takes it."""
    if isinstance(default, list):
        return " ".join(default) or "none"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _stages(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and definition of each stage, with `data.dir` filled in."""
    text = (root / "dvc.yaml").read_text(encoding="utf-8")
    folder = yaml.safe_load((root / "params.yaml").read_bytes())["data"]["dir"]
    definitions: dict[str, Any] = yaml.safe_load(text.replace("${data.dir}", folder))["stages"]
    for name, stage in definitions.items():
        yield name, {**stage.get("do", stage), "each": "foreach" in stage}


def _label(name: str, stage: dict[str, Any]) -> str:
    return f"{name}@MODEL" if stage["each"] else name


def _paths(stage: dict[str, Any], *keys: str) -> list[str]:
    """Return the paths in some of a stage's lists, written plain or with flags."""
    entries = [entry for key in keys for entry in stage.get(key, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _overlap(output: str, dep: str) -> bool:
    """Return whether one path is the other or lies inside it."""
    first, second = Path(output), Path(dep)
    return first == second or first in second.parents or second in first.parents


def _table(rows: Rows) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
