"""The route that prices a file of products."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from amlc.catalog.columns import COMPETITION
from amlc.catalog.products import ID, TEXT
from amlc.pricing.batch import header_for
from amlc.pricing.catalog_settings import CatalogSettings
from amlc.service.csv_jobs import PricedCsv
from amlc.service.middleware import CSV, media_type
from amlc.service.problems import PROBLEMS, Problem
from amlc.service.routing import Service


async def _priced_csv(
    request: Request,
    service: Service,
    spreadsheet: Annotated[  # noqa: FBT002 - FastAPI passes it by its name
        bool,
        Query(description="Whether to write `'` before ids that spreadsheets take for formulas."),
    ] = False,
    pictures: Annotated[  # noqa: FBT002 - see above
        bool,
        Query(description="Whether to use the pictures behind links, up to a limit."),
    ] = False,
) -> AsyncIterator[PricedCsv]:
    """Receive the CSV of a request, as a stream, and keep it until the response is sent."""
    if media_type(request.scope) != CSV:
        raise Problem(415, f"Send the products as {CSV}.")
    job = service.csv_jobs.price(request.stream(), spreadsheet=spreadsheet, pictures=pictures)
    async with job as priced:
        yield priced


class _CsvResponse(StreamingResponse):
    media_type = CSV


async def prices(priced: Annotated[PricedCsv, Depends(_priced_csv)]) -> StreamingResponse:
    """Price a CSV of products."""
    headers = {
        "X-Rows": str(priced.rows),
        "Content-Disposition": 'attachment; filename="prices.csv"',
    }
    return _CsvResponse(priced.lines, headers=headers)


def csv_router(catalog: CatalogSettings) -> APIRouter:
    """Return the route, described with an example in the catalogue's layout."""
    sent, answered = _examples(catalog)
    router = APIRouter(tags=["prices"], responses=PROBLEMS)
    router.post(
        "/v1/prices",
        response_class=_CsvResponse,
        response_description="One row for each product, in order, sent as they are priced.",
        responses={
            200: {
                "headers": {
                    "X-Rows": {
                        "description": "The number of products.",
                        "schema": {"type": "integer"},
                    }
                },
                "content": {CSV: {"example": answered}},
            }
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    CSV: {"schema": {"type": "string", "minLength": 1}, "example": sent},
                },
            }
        },
    )(prices)
    return router


def _examples(catalog: CatalogSettings) -> tuple[str, str]:
    """Return a file that is sent, and its answer."""
    columns = catalog.columns
    priced = ("12.3400", "8.0100", "19.9900", "no picture")
    if columns == COMPETITION:
        header = [ID, TEXT]
        row = ["1", "Item Name: Green Tea, 20 Bags"]
        first: list[str] = ["1"]
    else:
        header = list(columns.inputs)
        row = first = ["Green Tea" if name == columns.texts[0] else "" for name in header]
        priced = (*priced[:3], "")
    answered = (header_for(header, columns), (*first, *priced))
    return _csv([header, row], catalog.read.separator), _csv(answered, ",")


def _csv(rows: Any, separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", delimiter=separator).writerows(rows)
    return text.getvalue()
