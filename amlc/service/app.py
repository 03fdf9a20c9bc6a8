"""The application: its routes, the pages, and the service that answers them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from amlc.images.decode import pillow_warning_filters
from amlc.pricing.estimates import Estimate, Pricer, ReasonKind
from amlc.pricing.workers import Workers
from amlc.service import openapi
from amlc.service.batcher import Batcher, QueueFullError
from amlc.service.csv_jobs import CsvJobs
from amlc.service.limits import Limits
from amlc.service.middleware import RequestMiddleware
from amlc.service.monitoring import Metrics
from amlc.service.price_requests import PriceRequest, RequestReader
from amlc.service.problems import Problem, bad_picture, busy
from amlc.service.schemas import HealthResponse, ModelResponse, PriceResponse, price_response

PRICE, PRICES = "/v1/price", "/v1/prices"
_WEB = Path(__file__).parent / "web"
# A browser asks each time, and gets a 304 if nothing changed, so a new version shows at once.
_CACHE_CONTROL = "no-cache"
_DETAILS = {
    404: "This path does not exist; the page is at / and the description of the API at /docs.",
    405: "This path does not support this method.",
}


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
    service = Service(pricer, limits, workers)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with pillow_warning_filters(), contextlib.closing(service):
            yield

    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        routes=_page_routes(),
        exception_handlers={Problem: _answer_problem, HTTPException: _answer_http_error},
        **openapi.ABOUT,
    )
    app.add_middleware(RequestMiddleware, metrics=service.metrics, limits=limits)
    _add_api(app, service)
    _add_health(app, service)
    app.openapi = lambda: openapi.description(app)  # type: ignore[method-assign]  # as FastAPI's documentation does
    return app


def _add_api(app: FastAPI, service: "Service") -> None:
    @app.post(PRICE, tags=["prices"], **openapi.PRICE)
    async def price(request: Request) -> PriceResponse:
        """Price one product."""
        return await service.price(request)

    @app.post(PRICES, tags=["prices"], **openapi.PRICES)
    async def prices(request: Request) -> Response:
        """Price a CSV of products."""
        return await service.prices(request)

    @app.get("/v1/model", tags=["prices"], response_description="The model and the limits.")
    async def model() -> ModelResponse:
        """Return the version of the model and the limits of the service."""
        return service.model()


def _add_health(app: FastAPI, service: "Service") -> None:
    @app.get("/healthz", tags=["health"], response_description="The service is running.")
    async def healthz() -> HealthResponse:
        """Report that the service is running."""
        return HealthResponse(state="alive", model=service.pricer.version)

    @app.get("/readyz", tags=["health"], response_description="The service is ready.")
    async def readyz() -> HealthResponse:
        """Report that the service is ready; it listens only once the model is loaded."""
        return HealthResponse(state="ready", model=service.pricer.version)

    @app.get("/metrics", tags=["health"], **openapi.METRICS)
    async def metrics() -> Response:
        """Return counters in the format of Prometheus."""
        return Response(service.metrics.text(), media_type=openapi.PROMETHEUS)


class Service:
    """Reads requests, has their products priced, and returns the responses.

    Parameters
    ----------
    pricer : Pricer
    limits : Limits
    workers : Workers, optional
        Processes for long CSVs.
    """

    def __init__(self, pricer: Pricer, limits: Limits, workers: Workers | None = None) -> None:
        self.pricer = pricer
        self.limits = limits
        self.batcher = Batcher(
            pricer, workers=limits.workers, batch=limits.batch, max_queue=limits.queue
        )
        self.metrics = Metrics(pricer.version, lambda: self.batcher.waiting)
        self._reader = RequestReader(limits)
        self._csv_jobs = CsvJobs(
            self.batcher,
            workers,
            limits,
            lambda count: self.metrics.count_products(PRICES, count),
        )

    def close(self) -> None:
        """Price what is in the queue, and end all threads and processes."""
        self._reader.close()
        self._csv_jobs.close()
        self.batcher.close()

    def model(self) -> ModelResponse:
        """Return the model and the limits that a client should know."""
        names = ("image_bytes", "csv_bytes", "csv_rows")
        return ModelResponse(
            model=self.pricer.version,
            coverage=self.pricer.coverage,
            **{name: getattr(self.limits, name) for name in names},
        )

    async def price(self, request: Request) -> PriceResponse:
        """Price the product of a request.

        Raises
        ------
        Problem
            The request cannot be used, or the service is busy.
        """
        price_request = await self._reader.read(request)
        estimate = await self._estimate(price_request)
        _check_picture(price_request, estimate)
        self.metrics.count_products(PRICE, 1)
        return price_response(estimate, self.pricer)

    async def prices(self, request: Request) -> Response:
        """Price the products of a CSV; raises `Problem` as `price` does."""
        return await self._csv_jobs.respond(request)

    async def _estimate(self, request: PriceRequest) -> Estimate:
        try:
            future = self.batcher.submit(
                [request.product], similar=request.similar, contributions=request.contributions
            )
        except QueueFullError:
            raise busy("Too many products are being priced") from None
        return (await self._in_time(future))[0]

    async def _in_time(self, future: Future[list[Estimate]]) -> list[Estimate]:
        try:
            async with asyncio.timeout(self.limits.price_seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise busy("Pricing took too long", 5) from None


def _check_picture(request: PriceRequest, estimate: Estimate) -> None:
    """Refuse an unusable picture: a client that sends one does not want a price without it."""
    for reason in estimate.reasons:
        if reason.kind is ReasonKind.PICTURE_NOT_USED:
            raise bad_picture(request.picture_field, reason.detail)


class _PageFiles(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _CACHE_CONTROL
        return response


def _page_routes() -> list[BaseRoute]:
    """Return the routes of the pages and of the files that they load."""
    return [
        Route("/", _page("index.html")),
        Route("/docs", _page("docs.html")),
        Mount("/static", _PageFiles(directory=_WEB)),
    ]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_: Request) -> Response:
        return FileResponse(_WEB / name, headers={"Cache-Control": _CACHE_CONTROL})

    return page


async def _answer_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _answer_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = _DETAILS.get(error.status_code, f"{error.detail}.")
    return Problem(error.status_code, detail).response(dict(error.headers or {}))
