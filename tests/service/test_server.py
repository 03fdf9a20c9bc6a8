"""What stands around every request: headers, logs, and bodies that are hostile."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from amlc.service.middleware import JsonLines
from tests.helpers.pricing import FakePricer
from tests.service.conftest import Start
from tests.service.test_app import TEXT, problem

LONG = b"x" * 100_000


def connect(client: httpx.Client) -> socket.socket:
    """Return a connection to the server of a client."""
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30)


def talk(client: httpx.Client, *parts: bytes) -> bytes:
    """Send raw bytes, and return all that comes back until the server closes."""
    with closing(connect(client)) as line:
        for part in parts:
            line.sendall(part)
        answer = b""
        try:
            while data := line.recv(65_536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def head(*lines: str, method: str = "POST", path: str = "/v1/price") -> bytes:
    """Return a request's line and headers."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


@pytest.mark.parametrize("path", ["/", "/docs", "/static/page.js", "/healthz", "/nothing"])
def test_every_answer_has_the_headers_of_a_careful_server(client: httpx.Client, path: str) -> None:
    """Nothing from elsewhere, no inline script, no sniffing, no referrer, no cookie."""
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in headers
    assert "server" not in headers


def test_prices_are_not_cached(client: httpx.Client) -> None:
    """Neither by a browser nor by anything between."""
    assert client.post("/v1/price", json={"text": TEXT}).headers["cache-control"] == "no-store"


def test_the_page_is_answered_304_where_it_did_not_change(client: httpx.Client) -> None:
    """A browser asks anew, and need not load it again."""
    mark = client.get("/static/page.js").headers["etag"]
    assert client.get("/static/page.js", headers={"If-None-Match": mark}).status_code == 304


def _request_lines(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """Yield the log's lines on requests as they come; each is written once its answer is sent."""
    seen = 0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        records = caplog.records[seen:]
        seen += len(records)
        yield from (JsonLines().format(one) for one in records if one.getMessage() == "request")
        time.sleep(0.01)


def test_each_request_is_one_line_of_the_log(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, route, status and time; nothing of the product."""
    caplog.set_level(logging.INFO)
    client.post("/v1/price?secret=1", json={"title": "secret tea"})
    line = next(line for line in _request_lines(caplog) if '"/v1/price"' in line)
    told = json.loads(line)
    assert (told["method"], told["path"], told["status"]) == ("POST", "/v1/price", 200)
    assert told["seconds"] >= 0
    assert "secret" not in line


def test_an_error_in_the_log_tells_where_but_not_what(caplog: pytest.LogCaptureFixture) -> None:
    """An exception's message may quote what a user sent."""
    try:
        int("secret tea")
    except ValueError:
        logging.getLogger("amlc.serve").exception("failed")
    line = JsonLines().format(caplog.records[-1])
    assert json.loads(line)["error"] == "ValueError"
    assert "test_an_error_in_the_log" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/v1/price", "application/json"), ("/v1/price", "multipart/form-data; boundary=x"),
     ("/v1/prices", "text/csv")],
)  # fmt: skip
def test_a_huge_body_is_refused_by_its_declared_length(
    client: httpx.Client, path: str, kind: str
) -> None:
    """2 GB declared: 413 at once, although hardly a byte was sent."""
    request = head("Content-Length: 2000000000", f"Content-Type: {kind}", path=path)
    answer = talk(client, request, b"{")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert client.get("/healthz").status_code == 200


def test_a_huge_body_of_no_declared_length_is_refused(client: httpx.Client) -> None:
    """In chunks: 413 as soon as it is too much, and the client sees it while it still sends."""
    body = (LONG for _ in range(100))
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/price", content=body, headers=headers), 413)


def test_a_body_that_trickles_is_given_up(start: Start) -> None:
    """408 once nothing came for too long, and the connection is closed."""
    client = start(idle_seconds=0.1)
    request = head("Content-Length: 100", "Content-Type: application/json")
    assert talk(client, request, b"{").startswith(b"HTTP/1.1 408 ")


def test_a_body_that_takes_too_long_as_a_whole_is_given_up(start: Start) -> None:
    """408 although a byte comes now and then."""
    client = start(upload_seconds=0.1)
    request = head("Content-Length: 100", "Content-Type: text/csv", path="/v1/prices")
    assert talk(client, request, b"a", b"b").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v1/price HTTP/1.1\r\nHost: x\r\nA: ", b"P"],
    ids=["nothing", "a piece of a header", "one byte"],
)
def test_headers_that_do_not_come_are_given_up(start: Start, sent: bytes) -> None:
    """408 and the connection's end, whatever of them came."""
    client = start(header_seconds=0.1)
    assert talk(client, sent).startswith(b"HTTP/1.1 408 ")


def test_headers_of_a_later_request_are_given_up_too(start: Start) -> None:
    """A first good request earns nobody endless time for the second."""
    client = start(header_seconds=0.1)
    with closing(connect(client)) as line:
        line.sendall(head(method="GET", path="/healthz"))
        answer = b""
        while not answer.endswith(b"}"):
            answer += line.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200 ")
        line.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", head("Content-Length: -1"),
     head("Content-Length: 1, 2"), head("Transfer-Encoding: gzip")],
    ids=["tls", "no path", "a negative length", "two lengths", "an encoding"],
)  # fmt: skip
def test_what_is_not_http_is_a_problem_in_the_same_form(client: httpx.Client, sent: bytes) -> None:
    """400, as JSON, and the service lives on."""
    answer = talk(client, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 400
    assert client.get("/healthz").status_code == 200


def test_more_connections_than_allowed_are_sent_away(start: Start) -> None:
    """503 with Retry-After for those beyond the limit; the others are served, and room comes."""
    client = start(connections=8)
    assert client.get("/healthz").status_code == 200
    lines = [connect(client) for _ in range(50)]
    answers = [line.recv(65_536) for line in lines[7:]]
    assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
    assert all(b"Retry-After: 1\r\n" in answer for answer in answers)
    assert client.get("/healthz").status_code == 200
    for line in lines:
        line.close()


def test_a_client_that_takes_no_answer_is_left(start: Start, pricer: FakePricer) -> None:
    """Its rows are not priced to the end; the place is free for others."""
    client = start(idle_seconds=0.2, csv_jobs=1, workers=1)
    body = b"sample_id,catalog_content\n" + b"".join(
        b"%d-%s,Tea\n" % (number, b"x" * 100) for number in range(100_000)
    )
    request = head(f"Content-Length: {len(body)}", "Content-Type: text/csv", path="/v1/prices")
    with closing(connect(client)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(request + body)
        small = b"sample_id,catalog_content\n1,Tea\n"
        kind = {"Content-Type": "text/csv"}
        while client.post("/v1/prices", content=small, headers=kind).status_code == 503:
            pass
    assert sum(pricer.sizes) < 100_000


def test_answers_do_not_wait_for_acknowledgements(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection sends at once: else each answer takes 40 ms more."""
    found: list[int] = []
    original = H11Protocol.data_received

    def data_received(self: H11Protocol, data: bytes) -> None:
        line = self.transport.get_extra_info("socket")
        found.append(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        original(self, data)

    monkeypatch.setattr(H11Protocol, "data_received", data_received)
    start().get("/healthz")
    assert all(found)
    assert found
