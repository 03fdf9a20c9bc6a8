"""The application: an API and a page that price products."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from amlc.images.decode import pillow_warnings_settled
from amlc.serving.answers import Pricer
from amlc.serving.http import files, openapi
from amlc.serving.http.guard import Guard
from amlc.serving.http.limits import Limits
from amlc.serving.http.problems import Problem
from amlc.serving.http.schemas import Model, Price, State
from amlc.serving.http.service import PRICE, PRICES, Service
from amlc.serving.workers import Workers

_DETAILS = {
    404: "There is nothing here; the page is at / and the API's description at /docs.",
    405: "This path does not take that method.",
}


def create_app(pricer: Pricer, limits: Limits, workers: Workers | None = None) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    pricer : Pricer
        What prices.
    limits : Limits
        What is taken in, at most.
    workers : Workers, optional
        Processes for long CSVs.
    """
    service = Service(pricer, limits, workers)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with pillow_warnings_settled(), contextlib.closing(service):
            yield

    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        routes=files.routes(),
        exception_handlers={Problem: _problem, HTTPException: _http_problem},
        **openapi.ABOUT,
    )
    app.add_middleware(Guard, metrics=service.metrics, limits=limits)
    _add_api(app, service)
    _add_health(app, service)
    app.openapi = lambda: openapi.description(app)  # type: ignore[method-assign]  # as FastAPI's documentation does
    return app


def _add_api(app: FastAPI, service: Service) -> None:
    @app.post(PRICE, tags=["prices"], **openapi.PRICE)
    async def price(request: Request) -> Price:
        """Price one product."""
        return await service.price(request)

    @app.post(PRICES, tags=["prices"], **openapi.PRICES)
    async def prices(request: Request) -> Response:
        """Price a CSV of products."""
        return await service.prices(request)

    @app.get("/v1/model", tags=["prices"], response_description="The model.")
    async def model() -> Model:
        """Tell which model prices, and what is taken in at most."""
        return service.model()


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["health"], response_description="It lives.")
    async def healthz() -> State:
        """Tell that the service lives."""
        return State(state="alive", model=service.pricer.version)

    @app.get("/readyz", tags=["health"], response_description="It is ready.")
    async def readyz() -> State:
        """Tell that the service takes products; it listens only once the model is loaded."""
        return State(state="ready", model=service.pricer.version)

    @app.get("/metrics", tags=["health"], **openapi.METRICS)
    async def metrics() -> Response:
        """Give counters in the format of Prometheus."""
        return Response(service.metrics.text(), media_type=openapi.PROMETHEUS)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = _DETAILS.get(error.status_code, f"{error.detail}.")
    return Problem(error.status_code, detail).response(dict(error.headers or {}))
