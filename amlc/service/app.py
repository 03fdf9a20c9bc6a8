"""The application: its routes, its pages and its description."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.params import Body
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, StreamingResponse
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from amlc import __version__
from amlc.catalog.products import ID, TEXT
from amlc.images.decode import pillow_warning_filters
from amlc.pricing.batch import HEADER
from amlc.pricing.estimates import Pricer
from amlc.pricing.workers import Workers
from amlc.service.csv_jobs import PricedCsv
from amlc.service.hosts import HostsMiddleware
from amlc.service.limits import Limits
from amlc.service.middleware import CSV, FORM, JSON, BoundsMiddleware, RequestMiddleware, media_type
from amlc.service.price_service import PriceService
from amlc.service.problems import (
    MEDIA_TYPE,
    PROBLEMS,
    Problem,
    answer_http_error,
    answer_invalid_request,
    bad_field,
)
from amlc.service.schemas import (
    HealthResponse,
    ModelResponse,
    PriceResponse,
    ProductForm,
    ProductRequest,
    decoded,
)

_WEB = Path(__file__).parent / "web"


def create_app(pricer: Pricer, limits: Limits, workers: Workers | None = None) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    pricer : Pricer
        Prices single products and short CSVs.
    limits : Limits
        The limits on sizes, numbers and times.
    workers : Workers, optional
        Processes for long CSVs.
    """
    service = PriceService(pricer, limits, workers)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with pillow_warning_filters(), contextlib.closing(service):
            yield

    app = _Application(
        title="amlc",
        summary="Prices of products from catalogue text and pictures.",
        description="Send a product, get its price with an interval.",
        version=__version__,
        openapi_tags=[
            {"name": "prices", "description": "Price one product, or a CSV of products."},
            {"name": "health", "description": "For the operator of the service."},
        ],
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        routes=[
            Route("/", _page("index.html")),
            Route("/docs", _page("docs.html")),
            Mount("/static", StaticFiles(directory=_WEB)),
        ],
        exception_handlers={
            HTTPException: answer_http_error,
            RequestValidationError: answer_invalid_request,
        },
        # One picture, and the text fields of a product, of which bullets may be given 50 times.
        form_limits={"max_files": 1, "max_fields": 100, "max_part_size": limits.body_bytes},
    )
    app.state.service = service
    app.include_router(_prices)
    app.include_router(_information)
    # The last one is the outermost.
    app.add_middleware(HostsMiddleware, allowed=limits.allowed_hosts)
    app.add_middleware(RequestMiddleware, metrics=service.metrics)
    app.add_middleware(BoundsMiddleware, limits=limits)
    return app


class _Application(FastAPI):
    """FastAPI, with what it leaves out of its description of the API."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            paths = super().openapi()["paths"]
            # Of the routes that share a path, it describes the body of the last.
            for route in _prices.routes:
                one = get_openapi(title=self.title, version=self.version, routes=[route])
                for path, operations in one["paths"].items():
                    body = operations["post"]["requestBody"]
                    paths[path]["post"]["requestBody"]["content"] |= body["content"]
            # It takes errors for answers of the same media type.
            for operations in paths.values():
                for operation in operations.values():
                    for status, response in operation["responses"].items():
                        if int(status) >= 400:
                            response["content"] = {MEDIA_TYPE: response["content"].popitem()[1]}
        assert self.openapi_schema is not None
        return self.openapi_schema


class _BodyRoute(APIRoute):
    """A route for one media type of the body, so that several can share a path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        body = self.body_field.field_info if self.body_field is not None else None
        if match is Match.FULL and isinstance(body, Body) and body.media_type != media_type(scope):
            return Match.NONE, {}
        return match, child_scope


async def _service(request: Request) -> PriceService:
    service: PriceService = request.app.state.service
    return service


async def _check_fields(request: Request) -> None:
    """Refuse a field that is not UTF-8, or given twice, of which FastAPI would take the last."""
    form = await request.form()
    for name in form:
        given = [value for value in form.getlist(name) if value != ""]
        try:
            for text in (name, *given):
                if isinstance(text, str):
                    decoded(text)
        except UnicodeDecodeError:
            raise bad_field(name, "this field is not UTF-8") from None
        if name != "bullets" and len(given) > 1:
            raise bad_field(name, "this field was given more than once")


_Service = Annotated[PriceService, Depends(_service)]
_prices = APIRouter(tags=["prices"], route_class=_BodyRoute, responses=PROBLEMS)
_information = APIRouter()


@_prices.post("/v1/price", dependencies=[Depends(_check_fields)])
async def price_form(
    form: Annotated[ProductForm, Form(media_type=FORM)], service: _Service
) -> PriceResponse:
    """Price one product."""
    return await service.price(form, form.image)


@_prices.post(
    "/v1/price", response_description="The price, its interval, and what they are based on."
)
async def price(product: ProductRequest, service: _Service) -> PriceResponse:
    """Price one product."""
    return await service.price(product)


@_prices.post("/v1/price", include_in_schema=False)
async def price_other() -> None:
    """Refuse a body of another type."""
    raise Problem(415, f"Send the product as {JSON} or as {FORM}.")


async def _priced_csv(
    request: Request,
    service: _Service,
    spreadsheet: Annotated[  # noqa: FBT002 - FastAPI passes it by its name
        bool,
        Query(description="Whether to write `'` before ids that spreadsheets take for formulas."),
    ] = False,
) -> AsyncIterator[PricedCsv]:
    """Receive the CSV of a request, as a stream, and keep it until the response is sent."""
    if media_type(request.scope) != CSV:
        raise Problem(415, f"Send the products as {CSV}.")
    async with service.csv_jobs.price(request.stream(), spreadsheet=spreadsheet) as priced:
        yield priced


class _CsvResponse(StreamingResponse):
    media_type = CSV


@_prices.post(
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
            "content": {
                CSV: {"example": f"{','.join(HEADER)}\n1,12.3400,8.0100,19.9900,no picture\n"}
            },
        }
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                CSV: {
                    "schema": {"type": "string", "minLength": 1},
                    "example": f'{ID},{TEXT}\n1,"Item Name: Green Tea, 20 Bags"\n',
                }
            },
        }
    },
)
async def prices(priced: Annotated[PricedCsv, Depends(_priced_csv)]) -> StreamingResponse:
    """Price a CSV of products."""
    headers = {
        "X-Rows": str(priced.rows),
        "Content-Disposition": 'attachment; filename="prices.csv"',
    }
    return _CsvResponse(priced.lines, headers=headers)


@_information.get("/v1/model", tags=["prices"], response_description="The model and the limits.")
async def model(service: _Service) -> ModelResponse:
    """Return the version of the model and the limits of the service."""
    return service.model()


@_information.get("/healthz", tags=["health"], response_description="The service is running.")
async def healthz(service: _Service) -> HealthResponse:
    """Report that the service is running."""
    return HealthResponse(state="alive", model=service.version)


@_information.get("/readyz", tags=["health"], response_description="The service is ready.")
async def readyz(service: _Service) -> HealthResponse:
    """Report that the service is ready; it listens only once the model is loaded."""
    return HealthResponse(state="ready", model=service.version)


class _MetricsResponse(Response):
    media_type = "text/plain; version=0.0.4; charset=utf-8"


@_information.get(
    "/metrics",
    tags=["health"],
    response_class=_MetricsResponse,
    response_description="The counters.",
)
async def metrics(service: _Service) -> _MetricsResponse:
    """Return counters in the format of Prometheus."""
    return _MetricsResponse(service.metrics.text())


def _page(name: str) -> Callable[[Request], Response]:
    return lambda _: FileResponse(_WEB / name)
