"""The parts of README.md that are made from what the pipeline wrote."""

import re
from pathlib import Path

import pytest
import yaml

from amlc.errors import DataError
from amlc.files import write_json
from tools.readme import PARTS, graph_part, main, real_part, renewed, sample_part, stages_part
from tools.record import RECORD

ROOT = Path(__file__).parents[2]
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
EMPTY = "".join(f"before\n<!-- made: {name} -->\n<!-- end: {name} -->\n" for name in PARTS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository of which only what README.md is made from exists."""
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    (tmp_path / "params.yaml").write_text("data: {dir: data/raw}\nmodels: [a, b]\n")
    metrics = {**SCORE, "smape_low": 49.0, "smape_high": 51.0}
    models = {"a": SCORE, "b": {**SCORE, "smape": 60.0}}
    weights = {"a": 0.75, "b": 0.25}
    weighed = {name: {**score, "weight": weights[name]} for name, score in models.items()}
    write_json(tmp_path / "metrics/metrics.json", metrics)
    write_json(tmp_path / "metrics/details.json", {"models": weighed})
    write_json(tmp_path / "metrics/synthetic.json", {"smape_floor": 29.98, "smape_constant": 75.2})
    write_json(tmp_path / "metrics/images.json", {"links": 9, "ok": 7, "placeholders": 2})
    data = {"train": {"kept": 5000, "rejected": 0}, "test": {"rows": 3, "flagged": 0}}
    write_json(tmp_path / "metrics/data.json", data)
    column = {"blend": 53.0, "models": {"a": 54.0, "b": 60.0}}
    kept = {"data": data, "images": {"links": 9, "ok": 7}, "blend": metrics, "models": weighed}
    write_json(tmp_path / RECORD, {**kept, "without": {"vision": column}})
    return tmp_path


def test_the_readme_is_what_make_readme_writes() -> None:
    """Numbers in the README cannot drift from the committed metrics and dvc.yaml."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert renewed(text, ROOT) == text, "run make readme"


def test_only_the_parts_change(root: Path) -> None:
    """What people wrote stays, and a second run changes nothing."""
    once = renewed(EMPTY, root)
    assert once.count("before\n") == len(PARTS)
    assert renewed(once, root) == once


def test_the_sample_part_is_what_make_repro_ends_with(root: Path) -> None:
    """With what there is to reach."""
    part = sample_part(root)
    assert re.search(r"^blend +50\.13", part, re.MULTILINE)
    assert "best possible SMAPE on this sample is 29.98 %" in part


def test_the_real_part_lists_the_models_the_blend_last(root: Path) -> None:
    """A run without something that a model never saw says nothing about that model."""
    rows = [line.strip("| ").split(" | ") for line in real_part(root).splitlines()[4:]]
    assert rows == [
        ["b", "60.00", "0.50", "0.25", "-"],
        ["a", "50.13", "0.50", "0.75", "54.00"],
        ["**blend**", "**50.13**", "0.50", "95 % interval 49.00 to 51.00", "53.00"],
    ]


def test_the_real_part_says_how_many_rows_and_pictures_there_were(root: Path) -> None:
    """A score means little without them."""
    assert real_part(root).startswith("5,000 train rows, 3 test rows, 7 of 9 pictures at hand:")


def test_the_stages_part_names_what_each_stage_writes(root: Path) -> None:
    """One row for all models."""
    assert "| train@MODEL | Fit MODEL | `data/models/MODEL` |" in stages_part(root)
    assert "| score | Score | `metrics/metrics.json` |" in stages_part(root)


def test_the_graph_joins_stages_by_the_files_between_them(root: Path) -> None:
    """A folder that holds an output is a dependency on it; what all depend on is left out."""
    edges = {tuple(line.split(" --> ")) for line in graph_part(root).split("\n\t") if "-->" in line}
    assert edges == {("prepare", "train"), ("train", "score\n```")}


@pytest.mark.parametrize(
    "text",
    [
        "no part at all",
        EMPTY.replace("made: real", "made: reel"),
        EMPTY + "<!-- made: real -->\n<!-- end: real -->",
        EMPTY.replace("<!-- end: real -->", ""),
    ],
    ids=["none", "unknown", "twice", "open"],
)
def test_parts_that_do_not_add_up_are_refused(text: str, root: Path) -> None:
    """Nobody deletes a marker and with it the check."""
    with pytest.raises(DataError, match="expected the parts sample, real, graph, stages, each"):
        renewed(text, root)


def test_a_missing_record_is_named(root: Path) -> None:
    """No traceback, and no empty table."""
    (root / RECORD).unlink()
    with pytest.raises(DataError, match=r"real\.json"):
        renewed(EMPTY, root)


def test_the_program_rewrites_the_file_and_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once; then there is nothing to do."""
    monkeypatch.chdir(root)
    Path("README.md").write_text(EMPTY)
    main()
    main()
    assert capsys.readouterr().out == "README.md: renewed\nREADME.md: is up to date\n"
    assert "50.13" in Path("README.md").read_text()
