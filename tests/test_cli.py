"""The command line."""

import csv
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from amlc import __version__, cli
from amlc.catalog.submission import format_price
from amlc.pricing import batch
from amlc.pricing.batch import HEADER
from amlc.report import results as report_results
from amlc.service.limits import Limits
from amlc.service.monitoring import LOGGER

ROOT = Path(__file__).parents[1]
LINK = "https://images.amlc.invalid/none.jpg"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Take back the handlers of `amlc serve`: they write to the stderr of one test."""
    loggers = [logging.getLogger(name) for name in (LOGGER, "uvicorn")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def predict(*arguments: object) -> None:
    """Run `amlc predict` in this process."""
    cli.main(["predict", *map(str, arguments)])


def exit_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """Run a command that fails in this process; return its exit code and the one line it prints."""
    with pytest.raises(SystemExit) as error:
        cli.main(arguments)
    output = capsys.readouterr()
    assert not output.out
    (line,) = output.err.splitlines()
    return error.value.code, line


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_test_rows_get_the_prices_of_the_submission(pipeline: Path, tmp_path: Path) -> None:
    """The rows of test.csv with their pictures get the prices of the submission, as text."""
    target = tmp_path / "prices.csv"
    synthetic = pipeline / "synthetic"
    arguments = [
        "-o",
        target,
        "--bundle",
        pipeline / "bundle",
        "--images",
        pipeline / "synthetic_images",
    ]
    predict(synthetic / "test.csv", *arguments)
    predicted = [(row["sample_id"], row["price"]) for row in rows(target)]
    submitted = [(row["sample_id"], row["price"]) for row in rows(pipeline / "submission.csv")]
    assert predicted == submitted


def test_every_row_of_a_bad_file_has_a_price(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices come in the order of the file, with a reason for each bad row."""
    source, target = tmp_path / "bad.csv", tmp_path / "prices.csv"
    source.write_bytes(
        b"sample_id,catalog_content,image_link,price\n"
        + f"1,Item Name: Tea,{LINK},2\n2,,{LINK},\n1,Tea,{LINK},x\n".encode()
        + b"3,Caf\xe9,nowhere,\n4,too,few\n5,Tea,,\n"
        + f'6,{"tea " * 30_000},{LINK},1\n7,"Tea" x,{LINK},1\n'.encode()
    )
    monkeypatch.setattr(batch, "CHUNK_ROWS", 3)
    arguments = ["-o", target, "--bundle", pipeline / "bundle"]
    predict(source, *arguments, "--images", pipeline / "synthetic_images")
    prices = rows(target)
    assert list(prices[0]) == list(HEADER)
    assert [row["sample_id"] for row in prices] == list("12134567")
    assert all(float(row["low"]) <= float(row["price"]) <= float(row["high"]) for row in prices)
    missing = "no picture in the folder"
    assert [row["reason"] for row in prices] == [
        missing,
        f"no text; {missing}",
        f"repeated id; {missing}",
        "bytes that are not UTF-8 text; malformed image link",
        "3 cells, not 4; malformed image link",
        "no image link",
        f"text cut after 100,000 characters; {missing}",
        f"broken quoting; {missing}",
    ]


def test_text_alone_needs_no_links(
    pipeline: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Pricing by text alone needs no column of links, and no row lacks a picture."""
    source, target = tmp_path / "texts.csv", tmp_path / "prices.csv"
    source.write_text("sample_id,catalog_content\n1,Item Name: Tea\n2,Item Name: Oil\n")
    predict(source, "-o", target, "--bundle", pipeline / "bundle", "--no-images")
    assert [row["reason"] for row in rows(target)] == ["", ""]
    assert "predict: 2 prices in" in capsys.readouterr().out


def test_only_prices_go_to_what_is_no_file(
    pipeline: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prices that go to another program are not followed by the summary."""
    source, pipe = tmp_path / "products.csv", tmp_path / "pipe"
    source.write_text("sample_id,catalog_content\n=1,Tea\n")
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        bundle = pipeline / "bundle"
        predict(source, "-o", pipe, "--bundle", bundle, "--no-images", "--spreadsheet")
        assert read.result(30).splitlines()[1].startswith("'=1,")
    out, errors = capfd.readouterr()
    assert out == ""
    assert errors.startswith("predict: 1 prices in ")


def test_pictures_are_downloaded_without_a_folder(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --images the picture is downloaded; here its host does not exist."""
    source, target = tmp_path / "one.csv", tmp_path / "prices.csv"
    source.write_text(f"sample_id,catalog_content,image_link\n1,Item Name: Tea,{LINK}\n")
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(ROOT)
    predict(source, "-o", target, "--bundle", pipeline / "bundle")
    assert rows(target)[0]["reason"] == "picture not used: host not found"


@pytest.mark.slow
def test_workers_give_the_same_file(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes write the same file as one."""
    monkeypatch.setattr(batch, "SMALL_BYTES", 0)
    monkeypatch.setattr(batch, "CHUNK_ROWS", 16)
    for workers in (1, 2):
        arguments = ["-o", tmp_path / f"{workers}.csv", "--bundle", pipeline / "bundle"]
        source = pipeline / "synthetic" / "train.csv"
        predict(source, *arguments, "--no-images", "--workers", workers)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("nothing.csv", "p.csv", "nothing.csv: cannot be read"),
        ("texts.csv", "p.csv", "column 'image_link' is missing"),
        ("good.csv", "nowhere.csv/p.csv", "cannot be written"),
    ],
)
def test_an_error_of_predict_is_one_line(
    source: str,
    output: str,
    message: str,
    pipeline: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command ends with one line on stderr and leaves no file behind."""
    (tmp_path / "texts.csv").write_text("sample_id,catalog_content\n1,Tea\n")
    (tmp_path / "good.csv").write_text(f"sample_id,catalog_content,image_link\n1,Tea,{LINK}\n")
    (tmp_path / "nowhere.csv").write_text("a file, not a folder")
    paths = [tmp_path / source, "-o", tmp_path / output]
    options = ["--bundle", pipeline / "bundle", "--images", pipeline / "synthetic_images"]
    code, line = exit_line(capsys, "predict", *map(str, [*paths, *options]))
    assert code == 1
    assert message in line
    assert not (tmp_path / "p.csv").exists()


def test_tiny_prices_keep_their_digits() -> None:
    """A tiny price is not rounded to zero."""
    assert [format_price(12.0), format_price(0.000012)] == ["12.0000", "1.2e-05"]


# The command with a pricer whose gate is closed by one line of its stdin and opened by the next.
PROGRAM = """
import sys, threading
from amlc import __version__, cli
from amlc.service import server
from tests.helpers.pricing import FakePricer

class Fake(FakePricer):
    @classmethod
    def load(cls, folder):
        pricer = cls()
        threading.Thread(target=pricer.follow_stdin, daemon=True).start()
        return pricer

    def follow_stdin(self):
        sys.stdin.readline()
        self.gate.clear()
        print("closed", flush=True)
        sys.stdin.readline()
        self.gate.set()

server.BundlePricer = Fake
cli.main()
"""


def test_a_running_request_is_finished_after_sigterm() -> None:
    """The answer comes complete, and then the command ends without an error."""
    command = [sys.executable, "-c", PROGRAM, "serve", "--port", "0"]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe
        ) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            process.stdin.write("close\n")
            process.stdin.flush()
            assert process.stdout.readline() == "closed\n"
            answer = pool.submit(
                httpx.post, f"{address}/v1/price", json={"title": "Tea"}, timeout=60
            )
            metrics = f"{address}/metrics"
            while "amlc_requests_in_flight 2.0" not in httpx.get(metrics, timeout=60).text:
                pass
            process.send_signal(signal.SIGTERM)
            while _listens(address):
                pass
            process.stdin.write("open\n")
            process.stdin.flush()
            assert answer.result(60).status_code == 200
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGTERM
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events[0] == "started"
    assert set(events) == {"started", "request"}


def _listens(address: str) -> bool:
    match = re.fullmatch(r"http://(.+):(\d+)", address)
    assert match is not None
    host, port = match.groups()
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def test_every_limit_is_an_option_with_its_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The help describes each limit and gives its default."""
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.partition("limits:\n")[2].split())
    for name, field in Limits.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        description = f"{field.description} (default: {field.default})"
        assert re.search(rf"{option} [^-]*{re.escape(description)}", text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0"], "--workers: input should be greater than or equal to 1, got 0"),
        (["--price-seconds", "-1"], "--price-seconds: input should be greater than 0, got -1.0"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1:8000"),
        (["--port", "70000"], "cannot listen on 127.0.0.1:70000"),
        (["--port", "0", "--bundle", "nowhere"], "nowhere"),
    ],
)
def test_an_error_of_serve_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """The line says which option is wrong and why."""
    with pytest.raises(SystemExit):
        cli.main(["serve", *arguments])
    assert message in (line := capsys.readouterr().err)
    assert len(line.splitlines()) == 1


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use ends the command before it loads the model."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit):
        cli.main(["serve", "--port", str(taken.getsockname()[1])])
    assert "cannot listen" in capsys.readouterr().err


def test_python_m_amlc_is_the_command() -> None:
    """`python -m amlc` prints the version of the package."""
    command = [sys.executable, "-m", "amlc", "--version"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (0, f"amlc {__version__}\n")
    assert not process.stderr


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`amlc` alone lists its commands on stderr, with exit code 2."""
    with pytest.raises(SystemExit) as error:
        cli.main([])
    output = capsys.readouterr()
    assert error.value.code == 2
    assert not output.out
    for command in ("predict", "serve", "search", "results", "experiments", "compare"):
        assert f"\n    {command}" in output.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        (["predict"], "the following arguments are required: PRODUCTS, -o/--output"),
        (["predict", "a.csv", "-o", "b.csv", "--workers", "0"], "whole number of 1 or more"),
        (["predict", "a.csv", "-o", "b.csv", "--workers", "x"], "whole number of 1 or more"),
        (["serve", "--port", "x"], "argument --port: invalid int value: 'x'"),
        (["search", "nothing"], "invalid choice: 'nothing'"),
        (["search", "ridge", "--timeout", "-1"], "expected a duration of 0 or more, got '-1'"),
        (["search", "ridge", "--minutes", "x"], "expected a duration of 0 or more, got 'x'"),
        (["results", "--all"], "unrecognized arguments: --all"),
    ],
)
def test_wrong_arguments_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Wrong arguments end with exit code 2 and one line that says where the help is."""
    code, line = exit_line(capsys, *arguments)
    assert code == 2
    assert line.startswith("error: ")
    assert message in line
    assert line.endswith(" --help")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results"], "metrics.json: cannot be read"),
        (["search", "ridge"], "params.yaml: no such file"),
        (["predict", "none.csv", "-o", "prices.csv"], "none.csv: cannot be read"),
        (["predict", "one.csv", "-o", "prices.csv"], "make the bundle with dvc repro bundle"),
        (["serve", "--port", "0"], "make the bundle with dvc repro bundle"),
    ],
)
def test_missing_files_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """In a folder without the pipeline's files, each command says what is missing."""
    (tmp_path / "one.csv").write_text("sample_id,catalog_content,image_link\n1,Tea,\n")
    monkeypatch.chdir(tmp_path)
    code, line = exit_line(capsys, *arguments)
    assert code == 1
    assert line.startswith("error: ")
    assert message in line


def test_a_search_without_features_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search before the pipeline has run names the stage to run."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    code, line = exit_line(capsys, "search", "ridge")
    assert code == 1
    assert "cannot be read" in line
    assert "run the stage" in line


def test_a_search_without_its_extra_is_one_line(
    capsys: pytest.CaptureFixture[str], pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Optuna the search names the command that installs it."""
    monkeypatch.chdir(pipeline.parent)
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, line = exit_line(capsys, "search", "ridge")
    assert code == 1
    assert "pip install -e '.[search]'" in line


def test_serve_without_its_extra_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without FastAPI the service names the command that installs it."""
    monkeypatch.delitem(sys.modules, "amlc.service.server", raising=False)
    monkeypatch.delitem(sys.modules, "amlc.service.app", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    code, line = exit_line(capsys, "serve", "--port", "0")
    assert code == 1
    assert "pip install -e '.[serve]'" in line


def test_predict_needs_no_params_file(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder without params.yaml, pictures are downloaded with settings for pricing."""
    (tmp_path / "one.csv").write_text(f"sample_id,catalog_content,image_link\n1,Tea,{LINK}\n")
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    predict("one.csv", "-o", "prices.csv", "--bundle", pipeline / "bundle")
    assert rows(tmp_path / "prices.csv")[0]["reason"] == "picture not used: host not found"


def test_results_prints_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`amlc results` prints what `amlc.report.results` returns, and then the last commit's."""
    monkeypatch.setattr(report_results, "results", lambda: "the table of models")
    cli.main(["results"])
    assert capsys.readouterr().out.startswith("the table of models\nagainst ")
