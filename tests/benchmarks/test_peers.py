"""The league table: order, paired differences, verdicts, the claim."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from measured import peak_megabytes
from peers import Bench, Cost, Entry, claim, lines, peers, stages_of_member, table

from amlc.errors import CheckError
from amlc.metrics import row_smape

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(5)
ACTUAL = np.exp(RNG.normal(2, 1, 300))
ROWS = pd.DataFrame({"fold": np.arange(300) % 5, "group": np.arange(300) // 2})
BLEND = ACTUAL * np.exp(RNG.normal(0, 0.4, 300))
CLOSE = BLEND * np.exp(RNG.normal(0, 0.02, 300))
FAR = ACTUAL * np.exp(RNG.normal(0, 0.9, 300))


def entries() -> list[Entry]:
    """Return a peer far behind, one close by, and the blend, in no order."""
    cost = Cost(12.3, 456.7)
    ours = Entry("blend", "amlc", BLEND, Cost(), peer=False)
    return [Entry("far", "x", FAR, cost), ours, Entry("close", "y", CLOSE, cost)]


def test_lines_come_best_first() -> None:
    """The score decides, not the order of running."""
    found = lines(entries(), BLEND, ACTUAL, ROWS, 1)
    assert [line.smape for line in found] == sorted(line.smape for line in found)
    assert found[-1].entry.title == "far"


def test_differences_are_paired_by_row() -> None:
    """A copy with a little noise has a small error, though each score's own is large."""
    found = {line.entry.title: line for line in lines(entries(), BLEND, ACTUAL, ROWS, 1)}
    gap = row_smape(ACTUAL, CLOSE) - row_smape(ACTUAL, BLEND)
    by_fold = [gap[ROWS["fold"] == fold].mean() for fold in range(5)]
    assert found["close"].behind == pytest.approx(gap.mean())
    assert found["close"].fold_se == pytest.approx(np.std(by_fold, ddof=1) / np.sqrt(5))
    assert found["close"].group_se < found["far"].group_se / 5


def test_only_a_sure_difference_is_flagged() -> None:
    """Far behind is; a copy with a little noise is not."""
    found = {line.entry.title: line for line in lines(entries(), BLEND, ACTUAL, ROWS, 1)}
    assert found["far"].surely_behind
    assert not found["close"].surely_behind
    assert found["blend"].errors == 0


def test_the_claim_fails_by_one_peer_that_is_close() -> None:
    """It names that one."""
    found = lines(entries(), BLEND, ACTUAL, ROWS, 1)
    assert ": NO; the nearest is close" in claim(found)
    rest = [line for line in found if line.entry.title != "close"]
    assert ": yes; the nearest is far" in claim(rest)
    assert claim([line for line in rest if not line.entry.peer]) == "No peer ran."


def test_the_table_shows_costs_and_no_difference_of_the_blend_to_itself() -> None:
    """What was not measured is a dash."""
    found = lines(entries(), BLEND, ACTUAL, ROWS, 1)
    text = table(found, 300, ROWS["fold"].to_numpy()).splitlines()
    blend = next(line for line in text if line.startswith("| blend"))
    assert blend.endswith("|  |  |  |  |  | - | - | amlc |")
    assert "| yes | 12 | 457 | x |" in next(line for line in text if line.startswith("| far"))


def test_costs_add_up_in_time_and_not_in_memory() -> None:
    """Stages run one after the other."""
    assert Cost(1.0, 30.0).with_more(Cost(2.0, 20.0)) == Cost(3.0, 30.0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a bench beside this repository's params.yaml."""
    return Bench(ROOT, tmp_path, tmp_path / "keep")


JOB = {"texts": ["a", "b", "c"], "prices": [1.0, 2.0, 4.0], "folds": [0, 1, 1], "seed": 1}


def test_a_recipe_runs_in_a_process_of_its_own_and_is_kept(bench: Bench) -> None:
    """The second time its outcome is read, the cost included."""
    first, cost = bench.recipe("constant", {**JOB, "seconds": 0}, sys.executable)
    again, same = bench.recipe("constant", {**JOB, "seconds": 0}, "no-such-python")
    assert first.tolist() == again.tolist() == [3.0, 1.0, 1.0]
    assert cost == same
    assert cost.megabytes > 10


def test_a_recipe_that_fails_says_why(bench: Bench) -> None:
    """The last lines of its traceback."""
    with pytest.raises(CheckError, match="KeyError"):
        bench.recipe("constant", {"seed": 1}, sys.executable)


def test_autogluon_is_skipped_without_a_python(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says what to give."""
    assert peers(["autogluon"], {**JOB, "seconds": 5}, bench, None) == []
    assert "--autogluon PATH" in capsys.readouterr().err


def test_a_models_stages_are_those_of_its_blocks() -> None:
    """The blend's cost counts each stage once."""
    assert ("topics",) in stages_of_member("lightgbm", ROOT)
    assert stages_of_member("linear", ROOT) == [("tabular",), ("train", "linear")]


def test_measuring_runs_a_module_and_writes_its_cost(tmp_path: Path) -> None:
    """Arguments arrive, seconds and memory are written."""
    out = tmp_path / "took.json"
    command = [sys.executable, str(ROOT / "benchmarks/measured.py"), str(out), "platform", "x"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    took = json.loads(out.read_text())
    assert done.stdout
    assert set(took) == {"seconds", "megabytes"}
    assert 0 < took["megabytes"] < peak_megabytes()
