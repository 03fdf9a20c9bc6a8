"""Requests to the service, and checks of its answers."""

import csv
import io
import socket
from contextlib import closing, suppress
from typing import Any

import httpx

TEXT = "Item Name: Tea\nBullet Point 1: Black\nBullet Point 2: Loose\nValue: 20.0\nUnit: Count\n"
CSV_HEADER = "sample_id,catalog_content,image_link\n"
CSV_TYPE = {"Content-Type": "text/csv"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the error in an answer, after checking its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["detail"].endswith(".")
    assert "Traceback" not in answer.text
    return body


def send_csv(client: httpx.Client, text: str | bytes) -> httpx.Response:
    """Send a CSV to be priced."""
    return client.post("/v1/prices", content=text, headers=CSV_TYPE)


def csv_rows(answer: httpx.Response) -> list[dict[str, str]]:
    """Return the rows of a good answer."""
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def product_csv(count: int) -> str:
    """Return a CSV with a number of products."""
    rows = (f'{n},"Item Name: Tea {n}\nUnit: oz\n",\n' for n in range(count))
    return CSV_HEADER + "".join(rows)


def connect(client: httpx.Client) -> socket.socket:
    """Return a connection to the server of a client."""
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30)


def send_raw(client: httpx.Client, *parts: bytes) -> bytes:
    """Send raw bytes, and return everything that comes back until the server closes.

    It may close before all parts are sent.
    """
    answer = b""
    with closing(connect(client)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        with suppress(ConnectionResetError):
            while data := connection.recv(65_536):
                answer += data
    return answer


def request_head(*headers: str, method: str = "POST", path: str = "/v1/price") -> bytes:
    """Return the request line and the headers of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()
