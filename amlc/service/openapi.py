"""What OpenAPI says beyond what FastAPI finds out by itself."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from amlc.catalog.products import ID, TEXT
from amlc.pricing.batch import HEADER
from amlc.service.problems import MEDIA_TYPE, FieldError, ProblemBody
from amlc.service.questions import FORM, JSON
from amlc.service.schemas import FormFields, FormText, ProductFields, ProductText
from amlc.service.tables import CSV

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_REF = "#/components/schemas/{model}"
_MODELS = (ProductText, ProductFields, FormText, FormFields, ProblemBody, FieldError)

ABOUT: dict[str, Any] = {
    "title": "amlc",
    "summary": "Prices of products from catalogue text and pictures.",
    "description": "Send a product, get its price and an interval that holds it.",
    "version": "1",
    "openapi_tags": [
        {"name": "prices", "description": "Price one product, or a CSV of them."},
        {"name": "health", "description": "For whoever runs the service."},
    ],
}
_WORDS = {
    400: "The body cannot be read.",
    408: "The body came too slowly.",
    413: "The body, its picture or its CSV is too large.",
    415: "The body is of a type that is not taken.",
    422: "A field, the picture or the CSV is wrong; `detail` says how.",
    503: "Too much to do; `Retry-After` says when to try again.",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="ProblemBody")}
    answer: dict[str, Any] = {
        "description": _WORDS[status],
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if status == 503:
        answer["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
        }
    return answer


def _body(**kinds: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": kinds}}


def _one_of(*models: str) -> dict[str, Any]:
    return {"schema": {"oneOf": [{"$ref": _REF.format(model=model)} for model in models]}}


PRICE: dict[str, Any] = {
    "response_description": "The price, its interval, and what stands behind it.",
    "responses": _problems(400, 408, 413, 415, 422, 503),
    "openapi_extra": _body(
        **{
            JSON: _one_of("ProductText", "ProductFields"),
            FORM: _one_of("FormText", "FormFields"),
        }
    ),
}
PRICES: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {
            "description": "One row for each product, in their order, sent as they are priced.",
            "headers": {
                "X-Rows": {
                    "description": "How many products there are.",
                    "schema": {"type": "integer"},
                }
            },
            "content": {
                CSV: {
                    "schema": {"type": "string"},
                    "example": f"{','.join(HEADER)}\n1,12.3400,8.0100,19.9900,no picture\n",
                }
            },
        },
        **_problems(400, 408, 413, 415, 422, 503),
    },
    "openapi_extra": _body(
        **{
            CSV: {
                "schema": {"type": "string", "minLength": 1},
                "example": f'{ID},{TEXT}\n1,"Item Name: Green Tea, 20 Bags"\n',
            }
        }
    ),
}
METRICS: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {
            "description": "The counters.",
            "content": {PROMETHEUS: {"schema": {"type": "string"}}},
        }
    },
}


def description(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description of an application, made once."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            tags=app.openapi_tags,
            routes=app.routes,
        )
        _, definitions = models_json_schema(
            [(model, "validation") for model in _MODELS], ref_template=_REF
        )
        found["components"]["schemas"] |= definitions["$defs"]
        app.openapi_schema = found
    return app.openapi_schema
