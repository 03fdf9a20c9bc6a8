"""The service behaves as its OpenAPI description says, for any request."""

import csv
import io
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from amlc.service import price_service
from amlc.service.app import create_app
from amlc.service.limits import Limits
from tests.helpers.pictures import jpeg
from tests.helpers.pricing import FakePricer


def _described() -> dict[str, Any]:
    """Return the description without forms, which test_app.py tests.

    In a form a number is a text like any other, and Schemathesis makes no files in a oneOf.
    """
    description = create_app(FakePricer(), Limits()).openapi()
    del description["paths"]["/v1/price"]["post"]["requestBody"]["content"]["multipart/form-data"]
    return description


# A body that is wrong and too large is refused for its size, with 413.
_CHECKS = {"negative_data_rejection": {"expected-statuses": ["4xx"]}}
API = schemathesis.openapi.from_dict(
    _described(), config=schemathesis.Config.from_dict({"checks": _CHECKS})
)
OPERATIONS = [
    (path, method) for path, methods in API.raw_schema["paths"].items() for method in methods
]
# An operation without a body cannot get a wrong one.
WITH_BODY = [(path, method) for path, method in OPERATIONS if method == "post"]

_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40)
_ROWS = st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=1, max_size=5)


def _csv(rows: list[tuple[str, str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("sample_id", "catalog_content", "image_link"), *rows])
    return text.getvalue().encode()


schemathesis.openapi.media_type("text/csv", _ROWS.map(_csv))

# Schemathesis knows no strategy for the format of a link.
schemathesis.openapi.format(
    "uri", st.from_regex(r"https?://[a-z0-9]{1,9}\.(com|net)/[a-z0-9]{0,9}\.jpg", fullmatch=True)
)


def _check(client: httpx.Client, operation: tuple[str, str], mode: GenerationMode) -> None:
    path, method = operation

    @settings(
        max_examples=30,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        strategy = API[path][method].as_strategy(generation_mode=mode)
        data.draw(strategy).call_and_validate(base_url=str(client.base_url))

    check()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation[0])
def test_described_requests_are_accepted(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, operation: tuple[str, str]
) -> None:
    """A valid request gets an answer that matches the description."""
    # Every link has a picture, because a valid request must be accepted.
    monkeypatch.setattr(price_service, "fetch", lambda *_: jpeg())
    _check(client, operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation[0])
def test_undescribed_requests_are_refused(client: httpx.Client, operation: tuple[str, str]) -> None:
    """An invalid request gets a described error, never a 500 or a price."""
    _check(client, operation, GenerationMode.NEGATIVE)


def test_each_way_to_send_a_product_is_described() -> None:
    """Two routes share a path; what FastAPI knows of both stands in one description."""
    body = create_app(FakePricer(), Limits()).openapi()["paths"]["/v1/price"]["post"]["requestBody"]
    models = {
        media_type: [each["$ref"].rpartition("/")[2] for each in content["schema"]["oneOf"]]
        for media_type, content in body["content"].items()
    }
    assert models == {
        "application/json": ["TextRequest", "FieldsRequest"],
        "multipart/form-data": ["TextForm", "FieldsForm"],
    }


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_each_error_is_described_as_a_problem(path: str, method: str) -> None:
    """Errors have one media type and one model, for routes that answer with JSON and with CSV."""
    responses = API.raw_schema["paths"][path][method]["responses"]
    errors = [each["content"] for status, each in responses.items() if int(status) >= 400]
    assert (method == "post") == bool(errors)
    reference = {"$ref": "#/components/schemas/ProblemBody"}
    assert all(each == {"application/problem+json": {"schema": reference}} for each in errors)
