"""The command that prices a CSV file."""

import csv
import json
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from amlc import cli
from amlc.catalog.submission import format_price
from amlc.pricing import batch
from amlc.pricing.batch import HEADER
from amlc.service.limits import Limits

ROOT = Path(__file__).parents[1]
LINK = "https://images.amlc.invalid/none.jpg"


def run(*arguments: object) -> None:
    """Run the command in this process."""
    cli.main(["predict", *map(str, arguments)])


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_test_rows_get_the_prices_of_the_submission(pipeline: Path, tmp_path: Path) -> None:
    """The same file and the same pictures, text for text."""
    target = tmp_path / "prices.csv"
    sample = pipeline / "synthetic"
    arguments = ["-o", target, "--bundle", pipeline / "bundle", "--images", sample / "images"]
    run(sample / "test.csv", *arguments)
    found = [(row["sample_id"], row["price"]) for row in rows(target)]
    submitted = [(row["sample_id"], row["price"]) for row in rows(pipeline / "submission.csv")]
    assert found == submitted


def test_every_row_of_a_bad_file_has_a_price(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file's order, with a reason where there is one to give."""
    source, target = tmp_path / "bad.csv", tmp_path / "prices.csv"
    source.write_bytes(
        b"sample_id,catalog_content,image_link,price\n"
        + f"1,Item Name: Tea,{LINK},2\n2,,{LINK},\n1,Tea,{LINK},x\n".encode()
        + b"3,Caf\xe9,nowhere,\n4,too,few\n5,Tea,,\n"
        + f'6,{"tea " * 30_000},{LINK},1\n7,"Tea" x,{LINK},1\n'.encode()
    )
    monkeypatch.setattr(batch, "CHUNK", 3)
    arguments = ["-o", target, "--bundle", pipeline / "bundle"]
    run(source, *arguments, "--images", pipeline / "synthetic" / "images")
    found = rows(target)
    assert list(found[0]) == list(HEADER)
    assert [row["sample_id"] for row in found] == list("12134567")
    assert all(float(row["low"]) <= float(row["price"]) <= float(row["high"]) for row in found)
    missing = "no picture in the folder"
    assert [row["reason"] for row in found] == [
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
    """Nobody is blamed for a picture that was not asked for."""
    source, target = tmp_path / "texts.csv", tmp_path / "prices.csv"
    source.write_text("sample_id,catalog_content\n1,Item Name: Tea\n2,Item Name: Oil\n")
    run(source, "-o", target, "--bundle", pipeline / "bundle", "--no-images")
    assert [row["reason"] for row in rows(target)] == ["", ""]
    assert "predict: 2 prices in" in capsys.readouterr().out


def test_pictures_are_downloaded_where_no_folder_is_given(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the pipeline does; here the only link fails without a network."""
    source, target = tmp_path / "one.csv", tmp_path / "prices.csv"
    source.write_text(f"sample_id,catalog_content,image_link\n1,Item Name: Tea,{LINK}\n")
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(ROOT)
    run(source, "-o", target, "--bundle", pipeline / "bundle")
    assert rows(target)[0]["reason"] == "picture not used: host not found"


@pytest.mark.slow
def test_workers_give_the_same_file(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes, the same prices in the same order."""
    monkeypatch.setattr(batch, "SMALL_BYTES", 0)
    monkeypatch.setattr(batch, "CHUNK", 16)
    for workers in (1, 2):
        arguments = ["-o", tmp_path / f"{workers}.csv", "--bundle", pipeline / "bundle"]
        source = pipeline / "synthetic" / "train.csv"
        run(source, *arguments, "--no-images", "--workers", workers)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("nothing.csv", "p.csv", "nothing.csv: cannot be read"),
        ("texts.csv", "p.csv", "column 'image_link' is missing"),
        ("good.csv", "nowhere.csv/p.csv", "cannot be written"),
    ],
)
def test_a_fault_is_one_line(
    source: str, output: str, message: str, pipeline: Path, tmp_path: Path
) -> None:
    """And no file is left behind."""
    (tmp_path / "texts.csv").write_text("sample_id,catalog_content\n1,Tea\n")
    (tmp_path / "good.csv").write_text(f"sample_id,catalog_content,image_link\n1,Tea,{LINK}\n")
    (tmp_path / "nowhere.csv").write_text("a file, not a folder")
    arguments = [tmp_path / source, "-o", tmp_path / output, "--bundle", pipeline / "bundle"]
    more = ["--images", pipeline / "synthetic" / "images"]
    done = subprocess.run(
        [sys.executable, "-m", "amlc", "predict", *map(str, [*arguments, *more])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "p.csv").exists()


def test_tiny_prices_keep_their_digits() -> None:
    """No price is written as zero."""
    assert [format_price(12.0), format_price(0.000012)] == ["12.0000", "1.2e-05"]


# The program with a pricer whose gate is shut by one line of its stdin and opened by the next.
PROGRAM = """
import sys, threading
from amlc import cli
from amlc.service import server
from tests.helpers.pricing import FakePricer

class Fake(FakePricer):
    @classmethod
    def load(cls, folder):
        pricer = cls()
        threading.Thread(target=pricer.obey, daemon=True).start()
        return pricer

    def obey(self):
        sys.stdin.readline()
        self.gate.clear()
        print("shut", flush=True)
        sys.stdin.readline()
        self.gate.set()

server.BundlePricer = Fake
cli.main()
"""


def test_a_request_under_way_is_finished_after_sigterm() -> None:
    """The answer comes whole, and then the program ends without a word of failure."""
    command = [sys.executable, "-c", PROGRAM, "serve", "--port", "0"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        try:
            address = process.stdout.readline().split()[-1]
            process.stdin.write("shut\n")
            process.stdin.flush()
            assert process.stdout.readline() == "shut\n"
            answer = pool.submit(
                httpx.post, f"{address}/v1/price", json={"title": "Tea"}, timeout=60
            )
            while "amlc_requests_in_flight 2.0" not in httpx.get(f"{address}/metrics").text:
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
    host, port = re.fullmatch(r"http://(.+):(\d+)", address).groups()
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def test_every_limit_is_an_option_with_its_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The help names each, says what it means, and what it is when left out."""
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.partition("limits:\n")[2].split())
    for name, field in Limits.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        told = f"{field.description} (default: {field.default})"
        assert re.search(rf"{option} [^-]*{re.escape(told)}", text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "0"], "limits.workers"),
        (["--price-seconds", "-1"], "limits.price_seconds"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1:8000"),
        (["--port", "70000"], "cannot listen on 127.0.0.1:70000"),
        (["--port", "0", "--bundle", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_option_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """It says which and why."""
    with pytest.raises(SystemExit):
        cli.main(["serve", *arguments])
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Without loading the model first."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit):
        cli.main(["serve", "--port", str(taken.getsockname()[1])])
    assert "cannot listen" in capsys.readouterr().err
