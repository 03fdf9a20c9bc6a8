"""Around every request: headers, caching, and bounds on bodies and answers."""

import itertools
import logging
import socket
import threading
from contextlib import closing

import httpx
import pytest

from amlc.service.middleware import CLIENT_LEFT
from tests.helpers.api import (
    TEXT,
    connect,
    problem,
    product_csv,
    request_head,
    send_raw,
)
from tests.helpers.pricing import FakePricer
from tests.service.conftest import Start, logged


@pytest.mark.parametrize("path", ["/", "/docs", "/static/page.js", "/healthz", "/nothing"])
def test_every_answer_has_security_headers(client: httpx.Client, path: str) -> None:
    """No content from elsewhere, no inline script, no sniffing, no referrer, no cookie."""
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in headers
    assert "server" not in headers


def test_prices_are_not_cached(client: httpx.Client) -> None:
    """Neither a browser nor a proxy may keep a price."""
    assert client.post("/v1/price", json={"text": TEXT}).headers["cache-control"] == "no-store"


def test_an_unchanged_page_is_a_304(client: httpx.Client) -> None:
    """A browser that asks again need not load an unchanged file again."""
    etag = client.get("/static/page.js").headers["etag"]
    assert client.get("/static/page.js", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/v1/price", "application/json"), ("/v1/price", "multipart/form-data; boundary=x"),
     ("/v1/prices", "text/csv")],
)  # fmt: skip
def test_a_huge_body_is_refused_by_its_declared_length(
    client: httpx.Client, path: str, media_type: str
) -> None:
    """A body that declares 2 GB is a 413 at once, after hardly a byte was sent."""
    request = request_head("Content-Length: 2000000000", f"Content-Type: {media_type}", path=path)
    answer = send_raw(client, request, b"{")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\ncontent-type: application/problem+json\r\n" in answer
    assert b"connection: close" in answer.lower()
    assert client.get("/healthz").status_code == 200


def test_a_huge_body_without_declared_length_is_refused(client: httpx.Client) -> None:
    """A chunked body is a 413 once it is too large, and the client gets it while it sends."""
    body = (b"x" * 100_000 for _ in range(100))
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/price", content=body, headers=headers), 413)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/v1/price", "text/plain"), ("/v1/prices", "text/plain"), ("/nothing", "application/json")],
)
def test_a_body_that_no_path_takes_is_not_read(
    client: httpx.Client, path: str, media_type: str
) -> None:
    """Its type or its path is refused, whatever its size."""
    request = request_head("Content-Length: 2000000000", f"Content-Type: {media_type}", path=path)
    status = b"404" if path == "/nothing" else b"415"
    assert send_raw(client, request, b"{").startswith(b"HTTP/1.1 " + status)


def test_a_form_with_an_endless_picture_is_refused(start: Start) -> None:
    """A form without declared length is a 413 once it is larger than a picture and its fields."""
    client = start(image_bytes=1_000, body_bytes=1_000)
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    body = itertools.chain([head], itertools.repeat(b"x" * 100_000, 100))
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (
        "2,000 bytes"
        in problem(client.post("/v1/price", content=body, headers=headers), 413)["detail"]
    )


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/v1/price", "application/json"), ("/v1/price", "multipart/form-data; boundary=x"),
     ("/v1/prices", "text/csv")],
)  # fmt: skip
def test_a_client_that_leaves_is_logged(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, path: str, media_type: str
) -> None:
    """A request that its client does not finish is no error of the server."""
    caplog.set_level(logging.INFO)
    with closing(connect(client)) as connection:
        request = request_head("Content-Length: 9", f"Content-Type: {media_type}", path=path)
        connection.sendall(request + b"-")
    logged(caplog, path=path, status=CLIENT_LEFT)


def test_a_body_that_stops_is_given_up(start: Start) -> None:
    """A body of which nothing comes for too long is a 408, and the connection is closed."""
    client = start(idle_seconds=0.1)
    request = request_head("Content-Length: 100", "Content-Type: application/json")
    assert send_raw(client, request, b"{").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("path", "body", "media_type"),
    [("/v1/price", "{}", "application/json"), ("/v1/prices", product_csv(9), "text/csv")],
    ids=["json", "csv"],
)
def test_the_time_of_a_body_ends_with_it(
    start: Start, pricer: FakePricer, path: str, body: str, media_type: str
) -> None:
    """A client that waits for its answer is not too slow."""
    client = start(idle_seconds=0.1, upload_seconds=0.1)
    pricer.gate.clear()
    threading.Timer(0.3, pricer.gate.set).start()
    length, kind = f"Content-Length: {len(body)}", f"Content-Type: {media_type}"
    # In one piece, of which no part can come late.
    request = request_head(length, kind, "Connection: close", path=path) + body.encode()
    assert send_raw(client, request).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_takes_too_long_is_given_up(start: Start) -> None:
    """A body that takes too long as a whole is a 408, even if bytes come now and then."""
    client = start(upload_seconds=0.1)
    request = request_head("Content-Length: 100", "Content-Type: text/csv", path="/v1/prices")
    assert send_raw(client, request, b"a", b"b").startswith(b"HTTP/1.1 408 ")


def test_a_client_that_does_not_read_is_given_up(start: Start, pricer: FakePricer) -> None:
    """The rows of a client that does not read its answer are not all priced."""
    client = start(idle_seconds=1.0, csv_jobs=1, workers=1)
    body = b"sample_id,catalog_content\n" + b"".join(
        b"%d-%s,Tea\n" % (number, b"x" * 100) for number in range(100_000)
    )
    csv_type = "Content-Type: text/csv"
    request = request_head(f"Content-Length: {len(body)}", csv_type, path="/v1/prices")
    with closing(connect(client)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request + body)
        small = b"sample_id,catalog_content\n1,Tea\n"
        headers = {"Content-Type": "text/csv"}
        while client.post("/v1/prices", content=small, headers=headers).status_code == 503:
            pass
    assert sum(pricer.sizes) < 100_000


@pytest.mark.parametrize(
    "line", ["OPTIONS * HTTP/1.1", "CONNECT example.org:443 HTTP/1.1", "GET x HTTP/1.1"]
)
def test_a_target_that_is_no_path_is_answered(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    """Such a request is a problem like that of an unknown path, and no error of the server."""
    request = f"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with caplog.at_level(logging.INFO):
        assert send_raw(client, request).startswith(b"HTTP/1.1 404 ")
        logged(caplog, path="other", status=404)
    assert all(record.levelno < logging.ERROR for record in caplog.records)
