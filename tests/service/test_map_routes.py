"""A catalogue with columns of its own: its fields as JSON and forms, and files in its layout."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from amlc.catalog.content import parse_content
from amlc.pricing.estimates import Product, Reason, ReasonKind
from amlc.service import price_service
from amlc.service.app import create_app
from amlc.service.limits import Limits
from tests.helpers.api import problem, send_csv
from tests.helpers.layouts import map_with, reading
from tests.helpers.pictures import jpeg
from tests.helpers.pricing import FakePricer
from tests.service.conftest import running

COLUMNS = map_with(
    {
        "id": "sku",
        "text": ["Größe & name", "Body (HTML)"],
        "quantity": "size",
        "image": "photo",
        "price": "cost",
        "categories": ["brand"],
        "numbers": ["weight"],
        "dates": ["added"],
        "currency": "cur",
    }
)
READ = reading({"decimal": ",", "thousands": ".", "separator": ";"})
RATES = {"EUR": 1.0, "USD": 0.9}
FIELDS = {
    "Größe & name": "Tea",
    "Body (HTML)": "<p>Good",
    "size": "2 oz",
    "brand": "Yogi",
    "weight": 1.5,
    "added": "2024-02-29",
    "cur": "USD",
}
HEADER = "sku;Größe & name;Body (HTML);size;brand;weight;added;cur;photo\n"


class Service:
    """A running service, and the products that reached its pricer."""

    def __init__(self, client: httpx.Client, pricer: FakePricer) -> None:
        self.client, self._pricer = client, pricer

    def post(self, **request: Any) -> httpx.Response:
        """Ask for the price of one product."""
        return self.client.post("/v1/price", **request)

    @property
    def last(self) -> Product:
        """The product that was priced last."""
        return self._pricer.products[-1]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Return a service for a map with every kind of column."""
    pricer = FakePricer(COLUMNS, READ, RATES)
    with contextlib.ExitStack() as stack:
        yield Service(stack.enter_context(running(pricer, csv_pictures=2)), pricer)


def test_the_fields_are_the_columns_of_the_map(service: Service) -> None:
    """They make the text, the columns of their own and the currency that a row of a file does."""
    answer = service.post(json=FIELDS, params={"similar": 1, "contributions": True}).json()
    content = parse_content(service.last.text)
    assert (content.title, content.description) == ("Tea", "Good")
    assert (content.value, content.unit) == (2.0, "oz")
    assert dict(service.last.own) == {
        "category:brand": "Yogi",
        "number:weight": "1,5",
        "date:added": "2024-02-29",
    }
    assert service.last.currency == "USD"
    assert answer["similar"][0]["fields"] == {"brand": "Yogi"}
    assert len(answer["contributions"]) == 2


def test_a_form_takes_the_same_fields_and_a_file(service: Service) -> None:
    """Numbers are written as in the files."""
    form = {**FIELDS, "weight": "1.000,5", "brand": ""}
    assert service.post(data=form, files={"picture": jpeg(3)}).json()["reasons"] == []
    assert service.last.picture == jpeg(3)
    assert dict(service.last.own)["number:weight"] == "1.000,5"
    assert parse_content(service.last.text).title == "Tea"


def test_a_product_may_lack_every_field(service: Service) -> None:
    """Each field is optional."""
    assert service.post(json={}).json()["reasons"] == ["no text", "no picture"]


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        ({"weight": "1,5"}, "weight: input should be a valid number"),
        ({"weight": 1e200}, "weight: a number that cannot be read."),
        ({"added": "soon"}, "added: a date that cannot be read."),
        ({"cur": "CHF"}, "cur: input should be 'EUR' or 'USD'"),
        ({"brand": 3}, "brand: input should be a valid string"),
        ({"title": "Tea"}, "title: this field does not exist"),
        ({"field_0": "Tea"}, "field_0: this field does not exist"),
        ({"photo": "x.jpg"}, "photo: malformed link"),
        ({"cost": "3"}, "cost: this field does not exist"),
        ({"sku": "3"}, "sku: this field does not exist"),
    ],
)
def test_a_wrong_field_is_named(service: Service, sent: dict[str, Any], detail: str) -> None:
    """By its column, in the sentences that files get."""
    assert problem(service.post(json=sent), 422)["detail"].startswith(detail)


def test_a_wrong_number_of_a_form_is_named(service: Service) -> None:
    """A form has it as text."""
    answer = service.post(data={"weight": "1.5"}, files={"picture": ("", b"")})
    assert problem(answer, 422)["detail"] == "weight: a number that cannot be read."


def test_no_column_may_be_given_twice() -> None:
    """Nor one with the name of a field that the competition's form may repeat."""
    columns = map_with({"text": ["name", "bullets"], "image": None, "id": None})
    parts = [("bullets", (None, text)) for text in ("a", "b")]
    with running(FakePricer(columns)) as client:
        answer = client.post("/v1/price", files=parts)
    assert problem(answer, 422)["detail"] == "bullets: this field was given more than once."


def test_a_linked_picture_is_fetched(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The column of links takes one."""
    monkeypatch.setattr(price_service, "fetch", lambda *_: jpeg(5))
    service.post(json={"photo": "https://h.com/a.jpg"})
    assert service.last.picture == jpeg(5)


def test_the_api_is_described_by_the_map() -> None:
    """The description has the columns, their kinds and the known values of a category."""
    described = create_app(FakePricer(COLUMNS, READ, RATES), Limits()).openapi()
    product = described["components"]["schemas"]["Product"]["properties"]
    assert list(product) == [*FIELDS, "photo"]
    assert product["brand"]["examples"] == ["Yogi", "Olio"]
    assert product["weight"]["anyOf"][0]["type"] == "number"
    assert product["cur"]["anyOf"][0]["enum"] == ["EUR", "USD"]
    form = described["components"]["schemas"]["ProductForm"]["properties"]
    assert list(form) == [*FIELDS, "photo", "picture"]
    example = described["paths"]["/v1/prices"]["post"]["requestBody"]["content"]["text/csv"]
    assert example["example"].startswith("sku;Größe & name;")


def test_a_file_in_the_layout_comes_back_with_prices(service: Service) -> None:
    """All its columns are kept, in its order, also those that the map does not name."""
    text = HEADER.replace("\n", ";more\n") + "1;Tea;;;Yogi;1,5;;USD;;x\n2;Oil;;;;much;;CHF;;y\n"
    lines = send_csv(service.client, text).text.splitlines()
    assert lines[0] == f"{HEADER.strip().replace(';', ',')},more,price,low,high,reason"
    assert lines[1].startswith('1,Tea,,,Yogi,"1,5",,USD,,x,')
    assert lines[2].partition('"')[2].split("; ") == [
        "weight: not readable",
        "cur: no rate, so that the price is in the common currency",
        'no picture"',
    ]
    assert service.last.own[0] == ("category:brand", "")


def test_a_file_is_priced_with_the_pictures_behind_links(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as the limit allows; the others are named."""
    monkeypatch.setattr(price_service, "fetch", lambda *_: jpeg(5))
    rows = "".join(f"{number};Tea;;;;;;EUR;https://h.com/{number}.jpg\n" for number in range(3))
    answer = service.client.post(
        "/v1/prices?pictures=true", content=HEADER + rows, headers={"Content-Type": "text/csv"}
    )
    reasons = [line.rpartition(",")[2] for line in answer.text.splitlines()[1:]]
    assert reasons == ["", "", "picture not fetched: only the first 2 are"]
    assert service.last.picture == Reason(ReasonKind.NOT_FETCHED, "2")


def test_a_catalogue_without_links_has_no_pictures_to_fetch() -> None:
    """Neither in JSON nor in files; a product lacks no picture."""
    pricer = FakePricer(map_with({"text": ["name"], "image": None, "id": None}))
    with running(pricer) as client:
        answer = client.post(
            "/v1/prices?pictures=true", content="name\nTea\n", headers={"Content-Type": "text/csv"}
        )
        assert "no column of links" in problem(answer, 422)["detail"]
        assert client.post("/v1/price", json={"name": "Tea"}).json()["reasons"] == []
        assert send_csv(client, "name\nTea\n").text.splitlines()[1].endswith(",")
        page = client.get("/").text
    assert 'id="picture"' not in page
    assert 'data-column="name"' in page
