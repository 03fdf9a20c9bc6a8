"""What the routes of the application share."""

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
from amlc.pricing.answers import Answer, Pricer
from amlc.pricing.workers import Workers
from amlc.service import openapi
from amlc.service.batcher import Desk, DeskFullError
from amlc.service.limits import Limits
from amlc.service.middleware import Guard, Metrics
from amlc.service.problems import Problem, bad_picture, busy
from amlc.service.questions import Asked, Reader
from amlc.service.schemas import Model, Price, State, price_of
from amlc.service.tables import Tables

PRICE, PRICES = "/v1/price", "/v1/prices"
# How a pricer begins the reason that a picture is no good.
_NOT_USED = "picture not used: "


class Service:
    """Reads questions, has them priced, and gives answers.

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
        self.desk = Desk(pricer, workers=limits.workers, batch=limits.batch, queue=limits.queue)
        self.metrics = Metrics(pricer.version, lambda: self.desk.waiting)
        self._reader = Reader(limits)
        self._tables = Tables(
            self.desk, workers, limits, lambda count: self.metrics.priced(PRICES, count)
        )

    def close(self) -> None:
        """Finish what is in the line and end all threads."""
        self._reader.close()
        self._tables.close()
        self.desk.close()

    def model(self) -> Model:
        """Tell about the model and the limits."""
        taken = ("image_bytes", "csv_bytes", "csv_rows")
        return Model(
            model=self.pricer.version,
            coverage=self.pricer.coverage,
            **{name: getattr(self.limits, name) for name in taken},
        )

    async def price(self, request: Request) -> Price:
        """Answer a request about one product; raises `Problem`."""
        asked = await self._reader.read(request)
        answer = await self._answer(asked)
        _check_picture(asked, answer)
        self.metrics.priced(PRICE, 1)
        return price_of(answer, self.pricer)

    async def prices(self, request: Request) -> Response:
        """Answer a request about a CSV of products; raises `Problem`."""
        return await self._tables.answer(request)

    async def _answer(self, asked: Asked) -> Answer:
        try:
            done = self.desk.submit(
                [asked.question], similar=asked.similar, contributions=asked.contributions
            )
        except DeskFullError:
            raise busy("Too many products are being priced") from None
        return (await self._waited(done))[0]

    async def _waited(self, done: Future[list[Answer]]) -> list[Answer]:
        try:
            async with asyncio.timeout(self.limits.price_seconds):
                return await asyncio.wrap_future(done)
        except TimeoutError:
            raise busy("Pricing took too long", 5) from None


def _check_picture(asked: Asked, answer: Answer) -> None:
    """Refuse a picture that is no good: who sends one does not want a price without it."""
    for reason in answer.reasons:
        if reason.startswith(_NOT_USED):
            raise bad_picture(asked.picture_from, reason.removeprefix(_NOT_USED))


WEB = Path(__file__).parent / "web"
# A browser asks anew each time, and gets 304 where nothing changed: a new version shows at once.
_CACHE = "no-cache"


class _Static(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _CACHE
        return response


def routes() -> list[BaseRoute]:
    """Return the routes of the pages and of what they need."""
    return [
        Route("/", _page("index.html")),
        Route("/docs", _page("docs.html")),
        Mount("/static", _Static(directory=WEB)),
    ]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_: Request) -> Response:
        return FileResponse(WEB / name, headers={"Cache-Control": _CACHE})

    return page


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
        with pillow_warning_filters(), contextlib.closing(service):
            yield

    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        routes=routes(),
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
