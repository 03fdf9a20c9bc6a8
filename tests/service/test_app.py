"""Pricing one product by the API: answers, and errors with their messages."""

import base64
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx
import pytest
from PIL import PngImagePlugin

from amlc.pricing.estimates import Product
from tests.helpers.api import TEXT, problem
from tests.helpers.hostile_pictures import with_scans
from tests.helpers.pictures import encoded, jpeg, noise, png_bomb
from tests.helpers.pricing import FakePricer, price_of
from tests.helpers.site import Site, page
from tests.service.conftest import Start

FIELDS = {"title": "Tea", "bullets": ["Black", "Loose"], "value": 20.0, "unit": "Count"}


def test_a_text_is_priced(client: httpx.Client) -> None:
    """The answer has the price, its interval, the model's version and what was missing."""
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


def test_fields_are_priced_as_the_same_text(client: httpx.Client) -> None:
    """Fields get the price of the catalogue text that they make."""
    assert client.post("/v1/price", json=FIELDS).json()["price"] == price_of(Product(TEXT))


def test_a_form_is_priced_as_its_fields(client: httpx.Client) -> None:
    """Texts of a form become numbers and lists; an empty field counts as not given."""
    form = {**FIELDS, "value": "20", "image_url": "", "similar": "1", "contributions": "true"}
    answer = client.post("/v1/price", data=form, files={"image": ("", b"")}).json()
    assert answer["price"] == price_of(Product(TEXT))
    assert (len(answer["similar"]), len(answer["contributions"])) == (1, 2)


def test_an_uploaded_picture_reaches_the_pricer_unchanged(client: httpx.Client) -> None:
    """The pricer gets the bytes of the uploaded file."""
    answer = client.post("/v1/price", data={"text": TEXT}, files={"image": jpeg(3)}).json()
    assert answer["price"] == price_of(Product(TEXT, jpeg(3)))
    assert answer["reasons"] == []


def test_an_empty_product_is_priced_with_reasons(client: httpx.Client) -> None:
    """An empty product gets a price, and the reasons name what is missing."""
    assert client.post("/v1/price", json={}).json()["reasons"] == ["no text", "no picture"]


def test_similar_products_come_with_prices_and_pictures(client: httpx.Client) -> None:
    """The answer has the requested number of similar products, with pictures as data: links."""
    similar = client.post("/v1/price", json={"text": TEXT, "similar": 2}).json()["similar"]
    assert [product["price"] for product in similar] == [10.0, 20.0]
    kind, _, data = similar[0]["picture"].partition(",")
    assert (kind, base64.b64decode(data)) == ("data:image/jpeg;base64", jpeg(0))
    assert similar[1]["picture"] is None


def test_contributions_are_returned_on_request(client: httpx.Client) -> None:
    """Each contribution has its part and its factor."""
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
    """A wrong field of JSON is a 422 that names the field."""
    error = problem(client.post("/v1/price", json=sent), 422)
    assert error["errors"][0]["field"] == field
    assert error["detail"].startswith(field)


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/hostname",
        "ftp://a.com/x.jpg",
        "https://",
        "https://me@a.com/x.jpg",
        "https://a.com/x\ty.jpg",
    ],
)
def test_a_malformed_link_gets_a_sentence_for_people(client: httpx.Client, link: str) -> None:
    """The message says how to write a link, without a regular expression."""
    rule = (
        "write http(s)://HOST/... without user name, backslash and line break, "
        "in at most 2,048 characters"
    )
    error = problem(client.post("/v1/price", json={"image_url": link}), 422)
    assert error["detail"] == f"image_url: malformed link: {rule}."


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
    """A wrong field of a form is a 422 that names the field."""
    error = problem(client.post("/v1/price", data=data, files={"image": ("", b"")}), 422)
    assert error["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "charset",
    ["punycode", "undefined", "utf-7", "latin-1", "utf-16", "unicode_escape", "idna", "zlib", "",
     '"utf-7"', "utf-8; charset=utf-7"],
)  # fmt: skip
@pytest.mark.parametrize(
    "media_type", ["multipart/form-data; boundary=x", "application/json", "text/csv"]
)
def test_another_charset_than_utf8_is_refused(
    client: httpx.Client, media_type: str, charset: str
) -> None:
    """Python's decoder for some of them takes minutes for a long text, others raise errors."""
    part = b'--x\r\nContent-Disposition: form-data; name="+2AA-"\r\n\r\n' + b"a" * 900_000
    headers = {"Content-Type": f"{media_type}; charset={charset}"}
    path = "/v1/prices" if media_type == "text/csv" else "/v1/price"
    answer = client.post(path, content=part + b"\r\n--x--\r\n", headers=headers)
    assert problem(answer, 415)["detail"] == "Send the body as UTF-8."


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "us-ascii", '"utf-8"'])
def test_a_form_may_say_that_it_is_utf8(client: httpx.Client, charset: str) -> None:
    """The charset that is taken may be declared."""
    body = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nTea\r\n--x--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    assert client.post("/v1/price", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (b"title", b"caf\xe9", "title: this field is not UTF-8."),
        (b"bullets", b"\xc3", "bullets: this field is not UTF-8."),
        (b"caf\xe9", b"Tea", "caf\xe9: this field is not UTF-8."),
        (b"text", b"\xed\xa0\x80", "text: this field is not UTF-8."),
    ],
)
def test_a_field_of_a_form_that_is_not_utf8_is_refused(
    client: httpx.Client, name: bytes, text: bytes, message: str
) -> None:
    """A text in another encoding is not taken for other characters."""
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-8"}
    answer = client.post("/v1/price", content=part % (name, text), headers=headers)
    assert problem(answer, 422)["detail"] == message


def test_a_form_has_the_texts_of_its_json(client: httpx.Client) -> None:
    """Characters that are not ASCII arrive in a form as they do in JSON, in names as well."""
    fields = {"title": "Café crème, 2\xa0\xd7 4\u2033 \u2013 緑茶 \U0001f375", "unit": "oz"}
    form = client.post("/v1/price", data=fields, files={"image": ("", b"")})
    assert form.json() == client.post("/v1/price", json=fields).json()
    wrong = client.post("/v1/price", data={"größe": "1"}, files={"image": ("", b"")})
    assert problem(wrong, 422)["errors"][0]["field"] == "größe"


def test_a_form_that_is_cut_off_is_refused(client: httpx.Client) -> None:
    """Only the whole form is priced; a text after its end is allowed."""
    part = b'--xyz\r\nContent-Disposition: form-data; name="title"\r\n\r\nTea --xyz-- x\r\n'
    body = part + b"--xyz--"
    headers = {"Content-Type": "multipart/form-data; boundary=xyz"}
    for end in range(0, len(body), 3):
        answer = client.post("/v1/price", content=body[:end], headers=headers)
        assert "cut off" in problem(answer, 400)["detail"]
    pieces = (body[start : start + 1] for start in range(len(body)))
    for whole in (body, body + b"\r\n", body + b"\r\nepilogue", pieces):
        assert client.post("/v1/price", content=whole, headers=headers).status_code == 200


def test_a_file_in_a_text_field_is_refused(client: httpx.Client) -> None:
    """A file in a field other than image is a 422."""
    error = problem(client.post("/v1/price", files={"title": ("a.txt", b"Tea")}), 422)
    assert error["errors"] == [{"field": "title", "message": "this field does not accept a file."}]


def test_a_text_in_the_field_of_the_picture_is_refused(client: httpx.Client) -> None:
    """A text where a file belongs is a 422."""
    answer = client.post("/v1/price", data={"image": "tea.jpg"}, files={"unit": (None, b"oz")})
    assert problem(answer, 422)["detail"] == "image: this field takes a file."


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"text": "", "unit": ""}, ""),
        ({"text": "Tea", "title": "", "colour": ""}, "Tea"),
        ({"title": "Tea", "bullets": ["", "Black", ""], "value": ""},
         "Item Name: Tea\nBullet Point: Black\nValue: nan\nUnit: None\n"),
    ],
)  # fmt: skip
def test_an_empty_field_counts_as_not_given(
    client: httpx.Client, form: dict[str, Any], text: str
) -> None:
    """A browser sends every field of a form; an empty text is a product without text."""
    answer = client.post("/v1/price", data=form, files={"image": ("", b"")})
    assert answer.json()["price"] == price_of(Product(text))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"title": "\xc3("}', b'{"title": "\\ud800"}', b"[" * 100_000,
     b'{"a":' * 100_000],
    ids=["empty", "cut", "utf-16", "invalid utf-8", "half a surrogate", "lists", "objects"],
)  # fmt: skip
def test_a_body_that_is_not_json_is_refused(client: httpx.Client, body: bytes) -> None:
    """Invalid, cut or endlessly nested JSON is a 400, and the service keeps running."""
    headers = {"Content-Type": "application/json"}
    problem(client.post("/v1/price", content=body, headers=headers), 400)
    assert client.get("/healthz").json()["state"] == "alive"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b'{"title": "Tea",}', "not JSON: .* at character 1[67]"),
        (b'{"\\ud800": 1}', "half of a surrogate pair"),
    ],
)
def test_an_error_in_json_has_its_place(client: httpx.Client, body: bytes, message: str) -> None:
    """The message says what is wrong with the text, and where."""
    answer = client.post("/v1/price", content=body, headers={"Content-Type": "application/json"})
    assert re.search(message, problem(answer, 400)["detail"])


def test_each_wrong_field_has_a_sentence(client: httpx.Client) -> None:
    """All wrong fields are named as the client did, without regular expressions."""
    sent = {"colour": "green", "bullets": ["Tea", 3], "image_url": "ftp://a.com/x.jpg"}
    errors = problem(client.post("/v1/price", json=sent), 422)["errors"]
    messages = {error["field"]: error["message"] for error in errors}
    assert messages.pop("image_url").startswith("malformed link: write http(s)://HOST/...")
    assert messages == {
        "colour": "this field does not exist, or does not go with the other fields.",
        "bullets.1": "input should be a valid string.",
    }


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_another_type_of_body_is_refused(client: httpx.Client, kind: str) -> None:
    """A body that is neither JSON nor a form is a 415, a form without a boundary a 400."""
    answer = client.post("/v1/price", content=b"title=Tea", headers={"Content-Type": kind})
    problem(answer, 400 if kind.startswith("multipart") else 415)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (b"no picture", "not a JPEG"),
        (jpeg(width=400, height=400)[:2000], "too early"),
        (png_bomb(), "more pixels"),
        (jpeg(width=2, height=2), "too small"),
        (with_scans(encoded(noise(64, 64), progressive=True), 20_000), "more parts"),
        (encoded(noise(64, 64), "AVIF"), "it is AVIF"),
    ],
    ids=["text", "cut", "bomb", "pixel", "scans", "AVIF"],
)
def test_an_unusable_picture_is_refused(client: httpx.Client, picture: bytes, message: str) -> None:
    """A file that is not a good picture is a 422; a decompression bomb is not decompressed."""
    error = problem(client.post("/v1/price", files={"image": picture}), 422)
    assert error["errors"][0]["field"] == "image"
    assert message in error["detail"]


def test_a_picture_with_a_long_comment_has_a_price(client: httpx.Client) -> None:
    """What does not fit into a JPEG's comment does not stop its picture."""
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "c" * 70_000)
    picture = encoded(noise(64, 64), "PNG", pnginfo=info)
    assert client.post("/v1/price", files={"image": picture}).status_code == 200


def test_a_picture_with_too_many_bytes_is_refused(start: Start) -> None:
    """A picture over its limit is a 413, even if the request as a whole is within its own."""
    client = start(image_bytes=2_000)
    error = problem(client.post("/v1/price", files={"image": bytes(2_001)}), 413)
    assert "more bytes" in error["detail"]


def test_a_linked_picture_is_fetched(start: Start) -> None:
    """A picture behind a link reaches the pricer."""
    client = start(private_hosts=["127.0.0.1"])
    with Site({"/a.jpg": page(jpeg(5))}) as site:
        answer = client.post("/v1/price", json={"text": TEXT, "image_url": site.url("/a.jpg")})
    assert answer.json()["price"] == price_of(Product(TEXT, jpeg(5)))


def test_a_link_to_loopback_is_refused(client: httpx.Client) -> None:
    """A link to this machine is a 422, and no connection is made to it."""
    with Site({"/a.jpg": page(jpeg())}) as site:
        answer = client.post("/v1/price", json={"image_url": site.url("/a.jpg")})
        assert site.connections == 0
    assert "not public" in problem(answer, 422)["detail"]


@pytest.mark.parametrize(
    "host", ["[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "2130706433"]
)
def test_no_notation_of_a_private_address_is_fetched(client: httpx.Client, host: str) -> None:
    """Loopback in every notation, cloud metadata and private networks are a 422."""
    answer = client.post("/v1/price", json={"image_url": f"http://{host}/latest/meta-data"})
    assert "not public" in problem(answer, 422)["detail"]


def test_a_redirect_to_a_private_address_is_refused(start: Start) -> None:
    """An allowed host cannot redirect to one that is not allowed."""
    client = start(private_hosts=["127.0.0.1"])
    redirect = page(b"", "302 Found", Location="http://127.0.0.2/")
    with Site({"/a.jpg": redirect}) as site:
        answer = client.post("/v1/price", json={"image_url": site.url("/a.jpg")})
    assert "not public" in problem(answer, 422)["detail"]


def test_a_link_without_a_picture_is_refused(start: Start) -> None:
    """The error has the other server's status, and names the field of the link."""
    client = start(private_hosts=["127.0.0.1"])
    with Site() as site:
        error = problem(client.post("/v1/price", json={"image_url": site.url("/gone.jpg")}), 422)
    assert (error["errors"][0]["field"], "http 404" in error["detail"]) == ("image_url", True)


def test_a_picture_is_a_file_or_a_link(client: httpx.Client) -> None:
    """A file and a link together are a 422."""
    form = {"image_url": "https://a.com/x.jpg"}
    error = problem(client.post("/v1/price", data=form, files={"image": jpeg()}), 422)
    assert "not both" in error["detail"]


def test_an_unexpected_error_does_not_show_its_cause(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is a 500 with an id that the log has as well, but without the message."""
    answer = client.post("/v1/price", json={"text": "poison"})
    identifier = answer.headers["x-request-id"]
    assert identifier in problem(answer, 500)["detail"]
    assert "secret" not in answer.text
    logged = next(record for record in caplog.records if record.getMessage() == "failed")
    assert vars(logged)["fields"]["id"] == identifier
    assert logged.levelno == logging.ERROR


@pytest.mark.parametrize("path", ["/v1/nothing", "/static/nothing.js", "/static/../app.py"])
def test_an_unknown_path_is_a_problem(client: httpx.Client, path: str) -> None:
    """An unknown path is a 404 in the form of all errors; no file outside the page is served."""
    problem(client.get(path), 404)


def test_another_method_is_a_problem(client: httpx.Client) -> None:
    """A wrong method is a 405 that names the right one."""
    answer = client.delete("/v1/price")
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(("path", "state"), [("/healthz", "alive"), ("/readyz", "ready")])
def test_the_state_of_the_service_is_shown(client: httpx.Client, path: str, state: str) -> None:
    """The paths for health checks return the state and the version of the model."""
    assert client.get(path).json() == {"state": state, "model": "0123456789ab"}


def test_the_limits_are_shown(client: httpx.Client) -> None:
    """A client can read the limits before it sends anything."""
    assert client.get("/v1/model").json() == {
        "model": "0123456789ab",
        "coverage": 0.8,
        "image_bytes": 20_000_000,
        "csv_bytes": 100_000_000,
        "csv_rows": 200_000,
    }


def test_requests_and_products_are_counted(start: Start) -> None:
    """Requests are counted by method, route and status; an unknown path is not repeated."""
    client = start()
    client.post("/v1/price", json={"text": TEXT})
    client.get("/v1/%3Cstrange%3E")
    text = client.get("/metrics").text
    assert 'amlc_requests_total{method="POST",path="/v1/price",status="200"} 1.0' in text
    assert 'amlc_products_total{path="/v1/price"} 1.0' in text
    assert 'amlc_model_info{version="0123456789ab"} 1.0' in text
    assert "strange" not in text


def test_a_full_queue_is_a_503(start: Start, pricer: FakePricer) -> None:
    """A request beyond the queue is a 503 with Retry-After; those in the queue are answered."""
    client = start(workers=1, queue=1)
    pricer.gate.clear()
    with _Background(client) as first, _Background(client) as second:
        first.send("first")
        assert pricer.started.acquire(timeout=30)
        second.send("second")
        _wait_for(client, "amlc_products_waiting 1.0")
        answer = client.post("/v1/price", json={"text": "third"})
        pricer.gate.set()
        assert (first.status(), second.status()) == (200, 200)
    problem(answer, 503)
    assert answer.headers["retry-after"] == "1"


def test_a_price_that_takes_too_long_is_given_up(start: Start, pricer: FakePricer) -> None:
    """A price that takes longer than allowed is a 503."""
    client = start(price_seconds=0.05)
    pricer.gate.clear()
    answer = client.post("/v1/price", json={"text": TEXT})
    pricer.gate.set()
    assert "too long" in problem(answer, 503)["detail"]


class _Background:
    """A request that runs in a thread."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def send(self, text: str) -> None:
        """Request the price of a text."""
        self._future = self._pool.submit(self._client.post, "/v1/price", json={"text": text})

    def status(self) -> int:
        """Wait for the answer, and return its status."""
        return self._future.result(30).status_code


def _wait_for(client: httpx.Client, line: str) -> None:
    while line not in client.get("/metrics").text.splitlines():
        pass
