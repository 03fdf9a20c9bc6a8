"""The application: its routes, its pages and its description."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from amlc import __version__
from amlc.catalog.columns import COMPETITION
from amlc.images.decode import pillow_warning_filters
from amlc.pricing.estimates import Pricer
from amlc.pricing.workers import Workers
from amlc.service import product_routes
from amlc.service.csv_routes import csv_router
from amlc.service.hosts import HostsMiddleware
from amlc.service.limits import Limits
from amlc.service.map_routes import map_router
from amlc.service.map_schemas import ProductModels
from amlc.service.middleware import BoundsMiddleware, RequestMiddleware
from amlc.service.page import render_page
from amlc.service.price_service import PriceService
from amlc.service.problems import MEDIA_TYPE, answer_http_error, answer_invalid_request
from amlc.service.routing import Service
from amlc.service.schemas import HealthResponse, ModelResponse

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
    models = None if pricer.catalog.columns == COMPETITION else ProductModels(pricer)
    products = product_routes.router if models is None else map_router(models)

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
            Route("/", _rendered(render_page(pricer, models, limits))),
            Route("/docs", lambda _: FileResponse(_WEB / "docs.html")),
            Mount("/static", StaticFiles(directory=_WEB)),
        ],
        exception_handlers={
            HTTPException: answer_http_error,
            RequestValidationError: answer_invalid_request,
        },
        form_limits={
            "max_files": 1,
            # The text fields of a product, of which bullets may be given 50 times.
            "max_fields": max(100, len(pricer.catalog.columns.inputs)),
            "max_part_size": limits.body_bytes,
        },
    )
    app.state.service = service
    # Where a body may fit one of several models, the place of an error names the model.
    app.state.model_parts = 1 if models is None else 0
    app.price_routers = [products, csv_router(pricer.catalog)]
    for router in (*app.price_routers, _information):
        app.include_router(router)
    # The last one is the outermost.
    app.add_middleware(HostsMiddleware, allowed=limits.allowed_hosts)
    app.add_middleware(RequestMiddleware, metrics=service.metrics)
    app.add_middleware(BoundsMiddleware, limits=limits)
    return app


class _Application(FastAPI):
    """FastAPI, with what it leaves out of its description of the API."""

    price_routers: list[APIRouter]

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            paths = super().openapi()["paths"]
            # Of the routes that share a path, it describes the body of the last.
            for route in (each for router in self.price_routers for each in router.routes):
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


_information = APIRouter()


@_information.get("/v1/model", tags=["prices"], response_description="The model and the limits.")
async def model(service: Service) -> ModelResponse:
    """Return the version of the model and the limits of the service."""
    return service.model()


@_information.get("/healthz", tags=["health"], response_description="The service is running.")
async def healthz(service: Service) -> HealthResponse:
    """Report that the service is running."""
    return HealthResponse(state="alive", model=service.version)


@_information.get("/readyz", tags=["health"], response_description="The service is ready.")
async def readyz(service: Service) -> HealthResponse:
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
async def metrics(service: Service) -> _MetricsResponse:
    """Return counters in the format of Prometheus."""
    return _MetricsResponse(service.metrics.text())


def _rendered(page: str) -> Callable[[Request], Response]:
    """Return a route's function; a browser that has the page already gets a 304."""
    etag = f'"{hashlib.sha256(page.encode()).hexdigest()[:32]}"'

    def respond(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return HTMLResponse(page, headers={"ETag": etag})

    return respond
