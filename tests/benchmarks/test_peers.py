"""The table of peers: order, paired differences, verdicts, the claim."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from measured import peak_megabytes
from peers import Bench, Entry, Work, claim, job_of, lines, peers, program, stages_of_member, table
from pipeline import Cost

from amlc.errors import CheckError
from amlc.execution.processes import ProcessBackend
from amlc.metrics import row_smape
from tests.execution.test_settings import settings

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(5)
ACTUAL = np.exp(RNG.normal(2, 1, 300))
ROWS = pd.DataFrame({"fold": np.arange(300) % 5, "group": np.arange(300) // 2})
BLEND = ACTUAL * np.exp(RNG.normal(0, 0.4, 300))
CLOSE = BLEND * np.exp(RNG.normal(0, 0.02, 300))
FAR = ACTUAL * np.exp(RNG.normal(0, 0.9, 300))


def entries() -> list[Entry]:
    """Return a peer far behind, a peer close by, and the blend, unsorted."""
    cost = Cost(12.3, 456.7)
    ours = Entry("blend", "amlc", BLEND, Cost(), peer=False)
    return [Entry("far", "x", FAR, cost), ours, Entry("close", "y", CLOSE, cost)]


def test_lines_come_best_first() -> None:
    """Lines are sorted by score."""
    compared = lines(entries(), BLEND, ACTUAL, ROWS, 1)
    assert [line.smape for line in compared] == sorted(line.smape for line in compared)
    assert compared[-1].entry.title == "far"


def test_differences_are_paired_by_row() -> None:
    """A copy with a little noise has a small error, although the error of each score is large."""
    by_title = {line.entry.title: line for line in lines(entries(), BLEND, ACTUAL, ROWS, 1)}
    gap = row_smape(ACTUAL, CLOSE) - row_smape(ACTUAL, BLEND)
    by_fold = [gap[ROWS["fold"] == fold].mean() for fold in range(5)]
    assert by_title["close"].behind == pytest.approx(gap.mean())
    assert by_title["close"].fold_se == pytest.approx(np.std(by_fold, ddof=1) / np.sqrt(5))
    assert by_title["close"].group_se < by_title["far"].group_se / 5


def test_only_a_sure_difference_is_flagged() -> None:
    """A peer far behind is flagged; a copy with a little noise is not."""
    by_title = {line.entry.title: line for line in lines(entries(), BLEND, ACTUAL, ROWS, 1)}
    assert by_title["far"].surely_behind
    assert not by_title["close"].surely_behind
    assert by_title["blend"].standard_errors == 0


def test_the_claim_fails_with_one_close_peer() -> None:
    """The claim names the nearest peer."""
    compared = lines(entries(), BLEND, ACTUAL, ROWS, 1)
    assert ": NO; the nearest is close" in claim(compared)
    rest = [line for line in compared if line.entry.title != "close"]
    assert ": yes; the nearest is far" in claim(rest)
    assert claim([line for line in rest if not line.entry.peer]) == "No peer ran."


def test_the_table_shows_costs_and_no_difference_of_the_blend_to_itself() -> None:
    """A cost that was not measured is a dash."""
    compared = lines(entries(), BLEND, ACTUAL, ROWS, 1)
    text = table(compared, 300, ROWS["fold"].to_numpy()).splitlines()
    blend = next(line for line in text if line.startswith("| blend"))
    assert blend.endswith("|  |  |  |  |  | - | - | amlc |")
    assert "| yes | 12 | 457 | x |" in next(line for line in text if line.startswith("| far"))


def test_a_catalogues_categories_are_lines_of_the_recipes_texts() -> None:
    """The recipes know no columns, and should know no less than amlc."""
    rows = pd.DataFrame(
        {
            "catalog_content": ["Item Name: Tea\n", "Item Name: Oil"],
            "price": [1.0, 2.0],
            "fold": [0, 1],
            "category:Sub Category": ["Drinks", None],
            "number:Stock": [1.0, 2.0],
        }
    )
    texts = job_of(rows, seed=1, seconds=0)["texts"]
    assert texts == ["Item Name: Tea\nSub Category: Drinks\n", "Item Name: Oil\nSub Category: \n"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a bench beside this repository's params.yaml."""
    return Bench(ROOT, tmp_path, tmp_path / "keep")


JOB = {"texts": ["a", "b", "c"], "prices": [1.0, 2.0, 4.0], "folds": [0, 1, 1], "seed": 1}


def test_a_recipe_runs_in_a_separate_process_and_its_result_is_kept(bench: Bench) -> None:
    """The second time, its result and cost are read from the kept file."""
    first, cost = bench.recipe("constant", {**JOB, "seconds": 0}, sys.executable)
    again, same = bench.recipe("constant", {**JOB, "seconds": 0}, "no-such-python")
    assert first.tolist() == again.tolist() == [3.0, 1.0, 1.0]
    assert cost == same
    assert cost.megabytes > 10


def test_the_error_of_a_failed_recipe_says_why(bench: Bench) -> None:
    """The error has the last lines of the traceback."""
    with pytest.raises(CheckError, match="KeyError"):
        bench.recipe("constant", {"seed": 1}, sys.executable)


def test_autogluon_is_skipped_without_a_python(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message names the missing option."""
    assert peers(["autogluon"], Work(bench, {**JOB, "seconds": 5}, None), 1) == []
    assert "--autogluon PATH" in capsys.readouterr().err


def test_recipes_run_in_other_processes_as_in_threads(bench: Bench) -> None:
    """In their order, with the same prices."""
    work = Work(Bench(ROOT, bench.folder, None), {**JOB, "seconds": 0}, None)
    with ProcessBackend(settings()) as processes:
        (there,) = peers(["constant"], work, 2, processes)
    (here,) = peers(["constant"], work, 1)
    assert there.prices.tolist() == here.prices.tolist() == [3.0, 1.0, 1.0]
    assert there.cost.megabytes > 10


def test_costs_that_the_run_kept_are_used(tmp_path: Path) -> None:
    """No stage runs again."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    kept = {"terms": {"seconds": 3.0, "megabytes": 5.0, "cpu_seconds": 4.0}}
    (tmp_path / "costs.json").write_text(json.dumps(kept | {"train@ridge": kept["terms"]}))
    bench = Bench(tmp_path, tmp_path, None)
    assert bench.stages([("terms",), ("train", "ridge"), ("terms",)]) == Cost(6.0, 5.0, 8.0)


def test_a_models_stages_are_those_of_its_blocks() -> None:
    """A model needs the stages of its feature blocks and its training."""
    assert ("topics",) in stages_of_member("lightgbm", ROOT)
    assert stages_of_member("linear", ROOT) == [("tabular",), ("train", "linear")]


def test_a_program_is_found_from_another_folder() -> None:
    """Each recipe runs in a temporary one. The link of a virtual environment is not followed."""
    assert program("other/bin/python") == str(Path.cwd() / "other/bin/python")
    assert program("python3") == "python3"


def test_pretrained_encoders_are_part_of_a_models_cost(tmp_path: Path) -> None:
    """All of them, or one: a stage encodes both."""
    blocks = ["tabular", "encoders", "encoders.minilm"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"train": {"ridge": {"blocks": blocks}}}))
    stages = stages_of_member("ridge", tmp_path)
    assert stages == [("tabular",), ("encode",), ("encode",), ("train", "ridge")]


def test_measuring_runs_a_module_and_writes_its_cost(tmp_path: Path) -> None:
    """The module gets its arguments; its seconds and memory are written."""
    out = tmp_path / "cost.json"
    command = [sys.executable, str(ROOT / "benchmarks/measured.py"), str(out), "platform", "x"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cost = json.loads(out.read_text())
    assert done.stdout
    assert {"seconds", "megabytes"} <= set(cost)
    assert 0 < cost["megabytes"] < peak_megabytes()
