"""One product by the API: what is given back, and what is refused in which words."""

import base64
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx
import pytest

from amlc.pricing.estimates import Product
from tests.helpers.pictures import jpeg, png_bomb
from tests.helpers.pricing import FakePricer, price_of
from tests.helpers.site import Site, page
from tests.service.conftest import Start

TEXT = "Item Name: Tea\nBullet Point 1: Black\nBullet Point 2: Loose\nValue: 20.0\nUnit: Count\n"
FIELDS = {"title": "Tea", "bullets": ["Black", "Loose"], "value": 20.0, "unit": "Count"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the error that an answer tells, after checking its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    assert told["detail"].endswith(".")
    assert "Traceback" not in answer.text
    return told


def test_a_text_is_priced(client: httpx.Client) -> None:
    """Price, interval, version and what was missing."""
    answer = client.post("/v1/price", json={"text": TEXT}).json()
    price = price_of(Product(TEXT))
    assert answer == {
        "price": price,
        "low": price * 0.6,
        "high": price * 1.7,
        "coverage": 0.8,
        "model": "0123456789ab",
        "reasons": ["no picture"],
        "similar": [],
        "contributions": [],
    }


def test_fields_are_priced_as_the_text_that_they_make(client: httpx.Client) -> None:
    """The model never knows which of the two it was."""
    assert client.post("/v1/price", json=FIELDS).json()["price"] == price_of(Product(TEXT))


def test_a_form_is_priced_as_its_fields(client: httpx.Client) -> None:
    """Texts of a form become numbers and lists; what is left empty was not given."""
    form = {**FIELDS, "value": "20", "image_url": "", "similar": "1", "contributions": "true"}
    answer = client.post("/v1/price", data=form, files={"image": ("", b"")}).json()
    assert answer["price"] == price_of(Product(TEXT))
    assert (len(answer["similar"]), len(answer["contributions"])) == (1, 2)


def test_an_uploaded_picture_reaches_the_pricer_as_it_is(client: httpx.Client) -> None:
    """Its bytes are the product's."""
    answer = client.post("/v1/price", data={"text": TEXT}, files={"image": jpeg(3)}).json()
    assert answer["price"] == price_of(Product(TEXT, jpeg(3)))
    assert answer["reasons"] == []


def test_nothing_at_all_is_priced_with_a_reason(client: httpx.Client) -> None:
    """An empty product has a price too, and says what is missing."""
    assert client.post("/v1/price", json={}).json()["reasons"] == ["no text", "no picture"]


def test_similar_products_come_with_prices_and_pictures(client: httpx.Client) -> None:
    """As many as were asked for; a picture is a link that holds it."""
    similar = client.post("/v1/price", json={"text": TEXT, "similar": 2}).json()["similar"]
    assert [product["price"] for product in similar] == [10.0, 20.0]
    kind, _, data = similar[0]["picture"].partition(",")
    assert (kind, base64.b64decode(data)) == ("data:image/jpeg;base64", jpeg(0))
    assert similar[1]["picture"] is None


def test_contributions_are_told_when_asked_for(client: httpx.Client) -> None:
    """Each part with its factor."""
    answer = client.post("/v1/price", json={"text": TEXT, "contributions": True}).json()
    assert answer["contributions"][0] == {"part": "picture", "factor": 1.04}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"title": 3}, "title"),
        ({"value": -1}, "value"),
        ({"value": "12"}, "value"),
        ({"similar": 21}, "similar"),
        ({"contributions": "yes"}, "contributions"),
        ({"text": "Tea", "title": "Tea"}, "title"),
        ({"title": "Tea", "colour": "green"}, "colour"),
        ({"image_url": "ftp://a.com/x.jpg"}, "image_url"),
        ({"bullets": ["a"] * 51}, "bullets"),
        ({"bullets": [None]}, "bullets.0"),
        ([], "body"),
    ],
)
def test_a_wrong_field_is_named(client: httpx.Client, sent: object, field: str) -> None:
    """422, and which field it is."""
    told = problem(client.post("/v1/price", json=sent), 422)
    assert told["errors"][0]["field"] == field
    assert told["detail"].startswith(field)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"value": "twelve"}, "value"),
        ({"value": "nan"}, "value"),
        ({"title": ["a", "b"]}, "title"),
        ({"colour": "green"}, "colour"),
        ({"text": "Tea", "unit": "oz"}, "unit"),
    ],
)
def test_a_wrong_field_of_a_form_is_named(
    client: httpx.Client, data: dict[str, Any], field: str
) -> None:
    """As for JSON."""
    told = problem(client.post("/v1/price", data=data, files={"image": ("", b"")}), 422)
    assert told["errors"][0]["field"] == field


def test_a_file_in_a_text_field_is_refused(client: httpx.Client) -> None:
    """Only the field image takes a file."""
    told = problem(client.post("/v1/price", files={"title": ("a.txt", b"Tea")}), 422)
    assert told["errors"][0]["field"] == "title"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"title": "\xc3("}', b'{"title": "\\ud800"}', b"[" * 100_000,
     b'{"a":' * 100_000],
    ids=["empty", "cut", "utf-16", "invalid utf-8", "half a surrogate", "lists", "objects"],
)  # fmt: skip
def test_what_is_not_json_is_refused(client: httpx.Client, body: bytes) -> None:
    """400 for text that is none, cut, or nested without end; and the service lives on."""
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/price", content=body, headers=headers), 400)
    assert client.get("/healthz").json()["state"] == "alive"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_another_type_of_body_is_refused(client: httpx.Client, kind: str) -> None:
    """415 for what is neither JSON nor a form; 400 for a form without a boundary."""
    answer = client.post("/v1/price", content=b"title=Tea", headers={"Content-Type": kind})
    problem(answer, 400 if kind.startswith("multipart") else 415)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (b"no picture", "not a JPEG"),
        (jpeg(width=400, height=400)[:2000], "too early"),
        (png_bomb(), "more pixels"),
    ],
    ids=["text", "cut", "bomb"],
)
def test_a_picture_that_is_no_good_is_refused(
    client: httpx.Client, picture: bytes, words: str
) -> None:
    """422, in words; a decompression bomb is not decompressed."""
    told = problem(client.post("/v1/price", files={"image": picture}), 422)
    assert told["errors"][0]["field"] == "image"
    assert words in told["detail"]


def test_too_many_bytes_of_a_picture_are_refused(start: Start) -> None:
    """413, although the whole request is within its own limit."""
    client = start(image_bytes=2_000)
    told = problem(client.post("/v1/price", files={"image": bytes(2_001)}), 413)
    assert "more bytes" in told["detail"]


def test_a_linked_picture_is_fetched(start: Start) -> None:
    """By the pipeline's own fetch."""
    client = start(private_hosts=["127.0.0.1"])
    with Site({"/a.jpg": page(jpeg(5))}) as site:
        answer = client.post("/v1/price", json={"text": TEXT, "image_url": site.url("/a.jpg")})
    assert answer.json()["price"] == price_of(Product(TEXT, jpeg(5)))


def test_a_link_to_loopback_is_refused_unasked(client: httpx.Client) -> None:
    """422, and the server behind it gets not one connection."""
    with Site({"/a.jpg": page(jpeg())}) as site:
        answer = client.post("/v1/price", json={"image_url": site.url("/a.jpg")})
        assert site.connections == 0
    assert "not public" in problem(answer, 422)["detail"]


@pytest.mark.parametrize(
    "host", ["[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "2130706433"]
)
def test_no_spelling_of_an_inside_address_is_fetched(client: httpx.Client, host: str) -> None:
    """Loopback in every notation, the cloud's metadata, private networks."""
    answer = client.post("/v1/price", json={"image_url": f"http://{host}/latest/meta-data"})
    assert "not public" in problem(answer, 422)["detail"]


def test_a_redirect_to_an_inside_address_is_refused(start: Start) -> None:
    """An allowed host opens no door to another."""
    client = start(private_hosts=["127.0.0.1"])
    away = page(b"", "302 Found", Location="http://127.0.0.2/")
    with Site({"/a.jpg": away}) as site:
        answer = client.post("/v1/price", json={"image_url": site.url("/a.jpg")})
    assert "not public" in problem(answer, 422)["detail"]


def test_a_link_that_brings_no_picture_is_refused(start: Start) -> None:
    """The status of the other server is told, and the field is the link's."""
    client = start(private_hosts=["127.0.0.1"])
    with Site() as site:
        told = problem(client.post("/v1/price", json={"image_url": site.url("/gone.jpg")}), 422)
    assert (told["errors"][0]["field"], "http 404" in told["detail"]) == ("image_url", True)


def test_a_picture_comes_in_one_way_only(client: httpx.Client) -> None:
    """A file and a link together are refused."""
    form = {"image_url": "https://a.com/x.jpg"}
    told = problem(client.post("/v1/price", data=form, files={"image": jpeg()}), 422)
    assert "not both" in told["detail"]


def test_an_unexpected_failure_is_told_without_its_cause(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with an id; the log has the id and the place in the code, but not the message."""
    answer = client.post("/v1/price", json={"text": "poison"})
    identifier = answer.headers["x-request-id"]
    assert identifier in problem(answer, 500)["detail"]
    assert "secret" not in answer.text
    failed = next(record for record in caplog.records if record.getMessage() == "failed")
    assert failed.fields["id"] == identifier
    assert failed.levelno == logging.ERROR


@pytest.mark.parametrize("path", ["/v1/nothing", "/static/nothing.js", "/static/../app.py"])
def test_a_path_that_is_none_is_a_problem_too(client: httpx.Client, path: str) -> None:
    """404 in the same form as all errors, and no file outside the page's folder."""
    problem(client.get(path), 404)


def test_a_method_that_is_none_is_a_problem_too(client: httpx.Client) -> None:
    """405, saying which one it is."""
    answer = client.delete("/v1/price")
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(("path", "state"), [("/healthz", "alive"), ("/readyz", "ready")])
def test_the_service_tells_how_it_is(client: httpx.Client, path: str, state: str) -> None:
    """For whoever runs it, with the version of the model."""
    assert client.get(path).json() == {"state": state, "model": "0123456789ab"}


def test_the_model_tells_its_limits(client: httpx.Client) -> None:
    """So that a client need not send what would be refused."""
    assert client.get("/v1/model").json() == {
        "model": "0123456789ab",
        "coverage": 0.8,
        "image_bytes": 20_000_000,
        "csv_bytes": 100_000_000,
        "csv_rows": 200_000,
    }


def test_requests_and_products_are_counted(start: Start) -> None:
    """By method, route and status; a path that is none is not repeated."""
    client = start()
    client.post("/v1/price", json={"text": TEXT})
    client.get("/v1/%3Cstrange%3E")
    text = client.get("/metrics").text
    assert 'amlc_requests_total{method="POST",path="/v1/price",status="200"} 1.0' in text
    assert 'amlc_products_total{path="/v1/price"} 1.0' in text
    assert 'amlc_model_info{version="0123456789ab"} 1.0' in text
    assert "strange" not in text


def test_too_many_that_wait_are_told_to_come_back(start: Start, pricer: FakePricer) -> None:
    """503 with Retry-After once the line is full; the line itself is answered."""
    client = start(workers=1, queue=1)
    pricer.gate.clear()
    with _Later(client) as first, _Later(client) as second:
        first.ask("first")
        assert pricer.begun.acquire(timeout=30)
        second.ask("second")
        _wait_for(client, "amlc_products_waiting 1.0")
        answer = client.post("/v1/price", json={"text": "third"})
        pricer.gate.set()
        assert (first.answer(), second.answer()) == (200, 200)
    problem(answer, 503)
    assert answer.headers["retry-after"] == "1"


def test_a_price_that_takes_too_long_is_given_up(start: Start, pricer: FakePricer) -> None:
    """503 after the time that a price may take."""
    client = start(price_seconds=0.05)
    pricer.gate.clear()
    answer = client.post("/v1/price", json={"text": TEXT})
    pricer.gate.set()
    assert "too long" in problem(answer, 503)["detail"]


class _Later:
    """A request in a thread."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def ask(self, text: str) -> None:
        """Ask for a price."""
        self._done = self._pool.submit(self._client.post, "/v1/price", json={"text": text})

    def answer(self) -> int:
        """Wait for the answer's status."""
        return self._done.result(30).status_code


def _wait_for(client: httpx.Client, line: str) -> None:
    while line not in client.get("/metrics").text.splitlines():
        pass
