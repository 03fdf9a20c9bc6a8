"""The program: its options, its errors in one line, and an end that finishes what is under way."""

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

from amlc import serve
from amlc.serving.http.limits import Limits

ROOT = Path(__file__).parents[2]
# The program with a pricer whose gate is shut by one line of its stdin and opened by the next.
PROGRAM = """
import sys, threading
from amlc.errors import run
from amlc import serve
from amlc.serving.http import server
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
run(serve.main)
"""


def test_a_request_under_way_is_finished_after_sigterm() -> None:
    """The answer comes whole, and then the program ends without a word of failure."""
    command = [sys.executable, "-c", PROGRAM, "--port", "0"]
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
    monkeypatch.setattr(sys, "argv", ["serve", "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        serve.main()
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
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    """It says which and why."""
    monkeypatch.setattr(sys, "argv", ["serve", *arguments])
    with pytest.raises(serve.AmlcError, match=re.escape(words)):
        serve.main()


def test_a_port_that_is_taken_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without loading the model first."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(sys, "argv", ["serve", "--port", str(taken.getsockname()[1])])
        with pytest.raises(serve.AmlcError, match="cannot listen"):
            serve.main()
