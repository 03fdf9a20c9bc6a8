"""The benchmark of cost by the number of products, and the simulation of more workers."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import scale
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scale_simulation import Network, Work, seconds_on, work_of

from amlc.errors import ParamsError
from amlc.files import write_json

COST = scale.Cost("terms", 1000, 20.0, 10.0, 100.0, 90.0, 2_000_000, 0.0, ())
FREE = Network(task_seconds=0.0, bytes_per_second=100.0, shared_folder=False)


def test_train_is_one_step_for_each_model() -> None:
    """Steps keep the order of the pipeline, and one model can be chosen by itself."""
    assert scale.steps(["ridge", "mlp"], ["blend", "train", "terms"]) == [
        *("terms", "train.ridge", "train.mlp", "blend"),
    ]
    assert scale.steps(["ridge", "mlp"], ["train.mlp"]) == ["train.mlp"]


@pytest.mark.parametrize("stage", ["term", "train.forest"])
def test_an_unknown_stage_is_an_error(stage: str) -> None:
    """It would be left out without a word."""
    with pytest.raises(ParamsError, match=rf"no stage {stage}; stages: synthetic.*train\.ridge"):
        scale.steps(["ridge", "mlp"], ["terms", stage])


@given(st.floats(0.5, 2), st.floats(5, 1e4))
def test_the_exponent_is_that_of_a_power_law(power: float, at_start: float) -> None:
    """Costs that follow a power of the rows give this power."""
    costs = [
        replace(COST, rows=rows, cpu_seconds=at_start * (rows / 1000) ** power)
        for rows in (1000, 8000, 20000)
    ]
    assert scale.growth(costs, "cpu_seconds", 5.0) == pytest.approx(power)
    assert scale.growth(costs[:1], "cpu_seconds", 5.0) is None


def test_the_table_has_a_line_for_each_stage() -> None:
    """What was not measured at a size stays empty, and other settings are noted."""
    larger = replace(COST, rows=10_000, cpu_seconds=100.0, settings=("seed=1",))
    costs = [COST, replace(COST, stage="blend"), larger]
    lines = scale.table(costs).splitlines()
    assert lines[2] == "| terms | 10 | 100 | 1.00 | 100 | 100 | 2 |"
    assert lines[3] == "| blend | 10 |  |  | 100 |  |  |"
    assert lines[4] == "| all | 20 | 100 | 0.70 | 100 | 100 | 2 |"
    assert scale.notes(costs) == ["10,000 rows, terms: measured with seed=1"]


def test_what_was_measured_is_read_and_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted run goes on after the last stage that it measured."""
    run: list[str] = []

    def measured(step: str, _: Path, rows: int, settings: tuple[str, ...]) -> scale.Cost:
        run.append(step)
        return replace(COST, stage=step, rows=rows, settings=settings)

    monkeypatch.setattr(scale, "run_step", measured)
    kept = {**vars(COST), "settings": []}
    write_json(tmp_path / "1000" / "measured" / "terms.json", kept)
    costs = list(scale.measure(tmp_path, 1000, ["terms", "topics"], [], again=False))
    assert run == ["topics"]
    assert [cost.stage for cost in costs] == ["terms", "topics"]
    assert scale.read_costs(tmp_path) == costs


def test_a_working_folder_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage runs in a folder of its own, and writes its cost where it is looked for."""
    costs = {"seconds": 1.0, "cpu_seconds": 2.0, "megabytes": 3.0, "private_megabytes": 4.0}

    def run(command: list[str], *, cwd: Path, **_: object) -> subprocess.CompletedProcess[bytes]:
        (Path(cwd) / command[2]).write_text(json.dumps(costs))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    Path("work").mkdir()
    assert scale.run_step("terms", Path("work"), 1000, ()).cpu_seconds == 2.0


@given(
    st.lists(st.floats(0.1, 100), min_size=1, max_size=30),
    st.integers(2, 64),
    st.floats(0, 10),
)
def test_workers_share_the_pieces(pieces: list[float], workers: int, serial: float) -> None:
    """The time lies between the bounds of any schedule that leaves no worker idle."""
    work = Work("stage", serial, tuple(pieces))
    seconds = seconds_on(work, workers, FREE)
    bound = max(*pieces, sum(pieces) / workers)
    assert serial + bound <= seconds * (1 + 1e-9)
    assert seconds <= (serial + sum(pieces) / workers + max(pieces)) * (1 + 1e-9)


def test_sending_inputs_and_handing_out_pieces_takes_time() -> None:
    """The second worker waits for the first one's inputs; each piece waits for the scheduler."""
    work = Work("stage", 1.0, (10.0, 10.0), inputs=300)
    assert seconds_on(work, 2, FREE) == 1 + 6 + 10
    assert seconds_on(work, 2, replace(FREE, shared_folder=True)) == 1 + 3 + 10
    assert seconds_on(work, 2, replace(FREE, task_seconds=8.0)) == 1 + 16 + 10


def test_pieces_and_the_rest_add_up_to_what_was_measured() -> None:
    """No processor time is lost between one machine and many."""
    train = replace(COST, stage="train.ridge", pieces_seconds=15.0)
    for cost in (COST, train):
        work = work_of(cost, 5, 2, 0, with_rows=True)
        assert work.serial + sum(work.pieces) == pytest.approx(cost.cpu_seconds)
    assert len(work.pieces) == 6


def test_a_second_of_the_fits_counts_for_each_thread() -> None:
    """Of 20 s, five were before the fits: a quarter of the work of one thread, a seventh of two."""
    train = replace(COST, stage="train.ridge", pieces_seconds=15.0)
    assert work_of(train, 5, 1, 0, with_rows=True).serial == pytest.approx(10.0 / 4)
    assert work_of(train, 5, 2, 0, with_rows=True).serial == pytest.approx(10.0 / 7)


def test_every_stage_is_measured() -> None:
    """A stage that is missing would end the run at a later one, after hours."""
    pipeline = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text())
    assert [*pipeline["stages"]] == ["code", *scale.STAGES]
