"""Connections: slow and broken requests, and too many of them."""

import json
import socket
from contextlib import closing

import httpx
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.helpers.api import connect, request_head, send_raw
from tests.service.conftest import Start


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v1/price HTTP/1.1\r\nHost: x\r\nA: ", b"P"],
    ids=["nothing", "a piece of a header", "one byte"],
)
def test_headers_that_do_not_come_are_given_up(start: Start, sent: bytes) -> None:
    """Incomplete headers are a 408, and the connection is closed."""
    client = start(header_seconds=0.1)
    assert send_raw(client, sent).startswith(b"HTTP/1.1 408 ")


def test_headers_of_a_second_request_are_given_up(start: Start) -> None:
    """The time for headers counts again for each request of a connection."""
    # On a busy machine, the first request may come too late as well.
    for seconds in (0.1, 1.0, 10.0):
        client = start(header_seconds=seconds, keep_alive_seconds=60)
        with closing(connect(client)) as connection:
            connection.sendall(request_head(method="GET", path="/healthz"))
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65_536)
            if answer.startswith(b"HTTP/1.1 200 "):
                connection.sendall(b"GET /healthz HTTP/1.1\r\n")
                assert connection.recv(65_536).startswith(b"HTTP/1.1 408 ")
                return
    pytest.fail(f"no request was answered: {answer!r}")


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", request_head("Content-Length: -1"),
     request_head("Content-Length: 1, 2"), request_head("Transfer-Encoding: gzip")],
    ids=["tls", "no path", "a negative length", "two lengths", "an encoding"],
)  # fmt: skip
def test_bytes_that_are_not_http_are_a_problem(client: httpx.Client, sent: bytes) -> None:
    """A request that cannot be read is a 400 as JSON, and the service keeps running."""
    answer = send_raw(client, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 400
    assert client.get("/healthz").status_code == 200


def test_too_many_connections_are_refused(start: Start) -> None:
    """Connections beyond the limit get 503 with Retry-After; the others are served."""
    client = start(connections=8, header_seconds=60, keep_alive_seconds=60)
    assert client.get("/healthz").status_code == 200
    connections = [connect(client) for _ in range(50)]
    answers = [connection.recv(65_536) for connection in connections[7:]]
    assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
    assert all(b"\r\nretry-after: 1\r\n" in answer.lower() for answer in answers)
    assert client.get("/healthz").status_code == 200
    for connection in connections:
        connection.close()


def test_answers_do_not_wait_for_acknowledgements(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection sends at once, because an answer would take 40 ms more otherwise."""
    options: list[int] = []
    original = H11Protocol.data_received

    def data_received(self: H11Protocol, data: bytes) -> None:
        sock = self.transport.get_extra_info("socket")
        options.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        original(self, data)

    monkeypatch.setattr(H11Protocol, "data_received", data_received)
    start().get("/healthz")
    assert all(options)
    assert options
