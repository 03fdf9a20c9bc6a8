"""The generated parts of the documentation."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from amlc.catalog.validation import REASONS
from amlc.errors import DataError
from amlc.files import read_json, write_json
from amlc.service.limits import Limits
from tests.helpers.results import write_results
from tools import parts
from tools.record import REAL, RESULTS

SCORE = {"smape": 50.126, "smape_se": 0.5}
STAGES = {
    "code": {"desc": "List", "deps": ["stages"], "outs": ["data/code"]},
    "prepare": {
        "desc": "Read ${data.dir}",
        "deps": ["data/code/prepare.txt", "${data.dir}/a.csv"],
        "outs": ["data/p"],
    },
    "train": {
        "foreach": "${models}",
        "do": {"desc": "Fit ${item}", "deps": ["data/p"], "outs": ["data/models/${item}"]},
    },
    "score": {
        "desc": "Score",
        "deps": ["data/code/score.txt", "data/models"],
        "metrics": [{"metrics/metrics.json": {"cache": False}}],
    },
}
PEERS = [
    "| recipe | SMAPE | se | behind the blend | in se | seconds | peak MB | source |",
    "|---|---|---|---|---|---|---|---|",
    "| **amlc blend** | 50.13 | 0.50 |  |  | 9 | 100 | amlc |",
    "| Two | 53.00 | 0.50 | +2.87 | 5.0 | 8 | 90 | https://example.org/two |",
    "| One | 54.00 | 0.50 | +3.87 | 6.0 | 7 | 80 | a report |",
    "| constant: median price | 70.00 | 0.50 | +19.87 | 9.0 | 1 | 70 | - |",
]


def keep(root: Path, name: str, *lines: str) -> None:
    """Write the record of a benchmark."""
    table = {"title": "measured", "lines": list(lines)}
    write_json(root / RESULTS / f"{name}.json", {"commit": "abc1234", "tables": [table]})


def cells(table: str) -> list[list[str]]:
    """Return the cells of a Markdown table, without what stands before it."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [line.strip("| ").split(" | ") for line in lines if set(line) - set("|-")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository that has only what the parts are made from."""
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    (tmp_path / "params.yaml").write_text(
        "data: {dir: data/raw}\nmodels: [a, b]\nevaluate: {bootstrap_level: 0.9}\n"
    )
    scores = {**SCORE, "smape_low": 49.0, "smape_high": 51.0}
    models = {"a": {**SCORE, "weight": 0.75}, "b": {**SCORE, "smape": 60.0, "weight": 0.25}}
    data = {"train": {"kept": 5000, "rejected": 0}, "test": {"rows": 3, "flagged": 0}}
    write_results(tmp_path)
    write_json(tmp_path / "metrics/metrics.json", scores)
    write_json(tmp_path / "metrics/synthetic.json", {"smape_floor": 29.98, "smape_constant": 75.2})
    write_json(
        tmp_path / REAL,
        {
            "commit": "1234567",
            "data": data,
            "images": {"links": 9, "ok": 7},
            "blend": scores,
            "models": models,
            "interval": {
                "coverage": 80.04,
                "coverage_by_predicted_decile": {"01": 79.0, "02": 81.0},
                "coverage_by_price_decile": {"01": 50.0, "02": 98.0},
                "median_ratio": 5.5,
            },
            "guards": {
                "permutation": {"smape": 73.0, "constant": 72.5, "gap_se": 0.1},
                "leak": {"feature": "f", "partner": "g", "share": 0.32},
                "drift": {"auc": 0.5523, "columns": {"c": 0.51, "d": 0.55}},
            },
        },
    )
    keep(tmp_path, "peers", *PEERS)
    return tmp_path


def test_the_synthetic_part_is_what_make_repro_ends_with(root: Path) -> None:
    """The bounds of the score stand below it."""
    part = parts.synthetic(root)
    assert re.search(r"^blend +50\.13", part, re.MULTILINE)
    assert "best possible SMAPE on this catalogue is 29.98 %" in part


def test_the_score_is_that_of_the_real_run(root: Path) -> None:
    """It comes with its interval and the number of products."""
    score = parts.score(root)
    assert "On 5,000 products" in score
    assert "**50.13 %** (90 % interval 49.00 to 51.00)" in score


def test_the_headline_names_the_best_of_each_kind_and_its_commit(root: Path) -> None:
    """Neither amlc's own models nor the constant count as other recipes."""
    rows = cells(parts.headline(root))[1:]
    assert [row[-2:] for row in rows] == [
        ["**50.13**", "1234567"],
        ["50.13", "1234567"],
        ["53.00", "abc1234"],
        ["70.00", "abc1234"],
    ]
    assert rows[1][0] == "best single model: a"
    assert rows[2][0].endswith("[Two](https://example.org/two)")


def test_the_real_part_lists_the_models_the_blend_last(root: Path) -> None:
    """The worst model comes first, each with its weight."""
    assert cells(parts.real(root))[1:] == [
        ["b", "60.00", "0.50", "0.25"],
        ["a", "50.13", "0.50", "0.75"],
        ["**blend**", "**50.13**", "0.50", "90 % interval 49.00 to 51.00"],
    ]


def test_the_real_part_says_how_many_rows_and_pictures_there_were(root: Path) -> None:
    """A score means little without them."""
    expected = "Commit `1234567`: 5,000 train rows, 3 test rows, 7 of 9 pictures available."
    assert parts.real(root).startswith(expected)


def test_the_peers_part_chooses_columns_by_name(root: Path) -> None:
    """The benchmark prints more columns than the documentation shows."""
    rows = cells(parts.PARTS["peers"](root))
    assert rows[0] == list(parts.PEER_COLUMNS.values())
    assert rows[2][0] == "[Two](https://example.org/two)"
    assert rows[3] == ["One<br>a report", "54.00", "+3.87", "6.0", "7", "80"]


def test_a_record_without_a_needed_column_is_refused(root: Path) -> None:
    """The error names the record, what it lacks and what it has."""
    keep(root, "peers", "| recipe | score | source |", "|---|---|---|", "| One | 54.00 | - |")
    with pytest.raises(DataError, match=r"peers\.json: its table lacks the columns SMAPE"):
        parts.headline(root)


@pytest.mark.parametrize("name", ["features", "losses", "learning_curve", "held_out"])
def test_a_recorded_table_is_shown_with_its_commit(name: str, root: Path) -> None:
    """Every cell is as the benchmark printed it."""
    keep(root, name, "| | mlp |", "|---|---|", "| no topics | - |")
    part = parts.PARTS[name](root)
    assert part.startswith("Commit `abc1234`:\n\n")
    assert cells(part)[-1] == ["no topics", "-"]


def test_the_guards_part_says_what_each_check_found(root: Path) -> None:
    """The column that separates train from test best is the one with the highest AUC."""
    part = parts.guards(root)
    assert "SMAPE 73.00; the constant has 72.50" in part
    assert "explains 32%" in part
    assert "AUC 0.552; the column that separates them best is `d` (0.550)" in part
    assert "79 to 81 % in each tenth by predicted price, 50 to 98 %" in part


def test_a_table_without_a_header_gets_an_empty_one(root: Path) -> None:
    """Markdown has no table without one."""
    keep(root, "serve", "| start to ready | 1.7 s |")
    assert parts.serve(root).endswith("|  |  |\n|---|---|\n| start to ready | 1.7 s |")


def test_every_reason_and_every_limit_is_documented(root: Path) -> None:
    """They come from the code that applies them."""
    assert [row[0] for row in cells(parts.row_errors(root))[1:]] == [f"`{r}`" for r in REASONS]
    options = [row[0] for row in cells(parts.limits(root))[1:]]
    assert options == [f"`--{name.replace('_', '-')}`" for name in Limits.model_fields]


def test_the_stages_part_names_what_each_stage_writes(root: Path) -> None:
    """One row stands for all models."""
    assert "| train@MODEL | Fit MODEL | `data/models/MODEL` |" in parts.stages(root)
    assert "| score | Score | `metrics/metrics.json` |" in parts.stages(root)


def test_the_graph_joins_stages_by_the_files_between_them(root: Path) -> None:
    """A dependency on a folder is one on every output inside it; `code` is left out."""
    lines = parts.graph(root).split("\n\t")
    edges = {tuple(line.split(" --> ")) for line in lines if "-->" in line}
    assert edges == {("prepare", "train"), ("train", "score\n```")}


def test_the_committed_records_are_complete() -> None:
    """Each names the commit that it is of."""
    records: dict[str, Any] = {
        path.name: read_json(path) for path in (Path(__file__).parents[2] / RESULTS).glob("*.json")
    }
    assert all(re.fullmatch(r"[0-9a-f]{7}", record["commit"]) for record in records.values())
