"""The OpenAPI description: what FastAPI cannot derive from the routes."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from amlc import __version__
from amlc.catalog.products import ID, TEXT
from amlc.pricing.batch import HEADER
from amlc.service.csv_jobs import CSV
from amlc.service.price_requests import FORM, JSON
from amlc.service.problems import MEDIA_TYPE, FieldError, ProblemBody
from amlc.service.schemas import FieldsForm, FieldsRequest, TextForm, TextRequest

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_REF = "#/components/schemas/{model}"
_MODELS = (TextRequest, FieldsRequest, TextForm, FieldsForm, ProblemBody, FieldError)

ABOUT: dict[str, Any] = {
    "title": "amlc",
    "summary": "Prices of products from catalogue text and pictures.",
    "description": "Send a product, get its price with an interval.",
    "version": __version__,
    "openapi_tags": [
        {"name": "prices", "description": "Price one product, or a CSV of products."},
        {"name": "health", "description": "For the operator of the service."},
    ],
}
_STATUSES = {
    400: "The body cannot be read.",
    408: "The body arrived too slowly.",
    413: "The body, its picture or its CSV is too large.",
    415: "The body has a type that this path does not accept.",
    422: "A field, the picture or the CSV is wrong; `detail` says how.",
    503: "The service is busy; `Retry-After` says when to try again.",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="ProblemBody")}
    response: dict[str, Any] = {
        "description": _STATUSES[status],
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if status == 503:
        response["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
        }
    return response


def _body(**media_types: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": media_types}}


def _one_of(*models: str) -> dict[str, Any]:
    return {"schema": {"oneOf": [{"$ref": _REF.format(model=model)} for model in models]}}


PRICE: dict[str, Any] = {
    "response_description": "The price, its interval, and what they are based on.",
    "responses": _problems(400, 408, 413, 415, 422, 503),
    "openapi_extra": _body(
        **{
            JSON: _one_of("TextRequest", "FieldsRequest"),
            FORM: _one_of("TextForm", "FieldsForm"),
        }
    ),
}
PRICES: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {
            "description": "One row for each product, in order, sent as they are priced.",
            "headers": {
                "X-Rows": {
                    "description": "The number of products.",
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
    """Return the OpenAPI description of an application; it is made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
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
        schema["components"]["schemas"] |= definitions["$defs"]
        app.openapi_schema = schema
    return app.openapi_schema
