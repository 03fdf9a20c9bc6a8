"""What stands around every request: headers, the log, counters, the last word on errors."""

import asyncio
import contextlib
import json
import logging
import secrets
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amlc.service.limits import Limits
from amlc.service.problems import Problem

LOGGER = "amlc.serve"


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON: time, level, event, and the record's own fields.

    Of an exception it tells the type and the places in the code, but not the message, which may
    quote what a user sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= _told(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def log(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields."""
    logging.getLogger(LOGGER).log(level, event, extra={"fields": fields})


def log_error(event: str, error: BaseException, **fields: Any) -> None:
    """Log an error that nobody expected."""
    logging.getLogger(LOGGER).error(event, exc_info=error, extra={"fields": fields})


def set_up() -> None:
    """Send what the service and uvicorn log to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (LOGGER, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    # Its lines tell of every start and stop what the service's own lines tell.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _told(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


# The times at which counters began only double the lines.
disable_created_metrics()  # type: ignore[no-untyped-call]  # its package ships no type for it
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """Counters of one application, in a registry of its own.

    Parameters
    ----------
    version : str
        The model's.
    waiting : callable
        Returns how many products wait for a thread.
    """

    def __init__(self, version: str, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "amlc_requests",
            "Requests answered.",
            ("method", "path", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "amlc_request_seconds",
            "Seconds from a request's headers to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._products = Counter(
            "amlc_products", "Products priced.", ("path",), registry=self.registry
        )
        self.in_flight = Gauge(
            "amlc_requests_in_flight", "Requests under way.", registry=self.registry
        )
        Gauge(
            "amlc_products_waiting", "Products that wait for a thread.", registry=self.registry
        ).set_function(waiting)
        Info("amlc_model", "The model that prices.", registry=self.registry).info(
            {"version": version}
        )

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; `path` is its route's, never what the client wrote."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def priced(self, path: str, products: int) -> None:
        """Count products."""
        self._products.labels(path).inc(products)

    def text(self) -> bytes:
        """Return everything as /metrics gives it."""
        return generate_latest(self.registry)


# Scripts, styles and data from this server only; pictures also from the answers themselves.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"})
_PAGES = frozenset({"/", "/docs", "/openapi.json", "/static"})
CLIENT_LEFT = 499
# After an early refusal this much of the body is read away, so that the client, which is still
# sending, sees the answer and not a broken connection.
_DRAIN_BYTES, _DRAIN_SECONDS, _DRAIN_IDLE_SECONDS = 64_000_000, 2.0, 0.25


class SlowReaderError(Exception):
    """A client that does not take its answer."""


@dataclass
class _Exchange:
    """One request under way."""

    id: str
    start: float
    status: int = 0
    received: int = 0
    body_ended: bool = False
    finished: bool = False


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    limits : Limits
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, limits: Limits) -> None:
        self._app = app
        self._metrics = metrics
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(secrets.token_hex(8), time.monotonic())
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._guarded(scope, receive, send, exchange)
            finally:
                self._tell(scope, exchange)

    async def _guarded(
        self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange
    ) -> None:
        receiving = _counting(receive, exchange)
        sending = self._sending(scope, receiving, send, exchange)
        try:
            await self._app(scope, receiving, sending)
        except (ClientDisconnect, SlowReaderError):
            exchange.status = CLIENT_LEFT
        except Exception as error:
            log_error("failed", error, id=exchange.id)
            if exchange.status:
                # Half an answer is out; uvicorn breaks the connection off, so that nobody takes
                # the half for the whole.
                raise
            problem = Problem(500, f"Something went wrong here; its log has the id {exchange.id}.")
            await problem.response()(scope, receiving, sending)

    def _sending(self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                self._add_headers(scope, message, exchange)
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and _must_drain(exchange):
                await self._sent(send, {**message, "more_body": True})
                await _drain(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await self._sent(send, message)
            exchange.finished = last

        return sending

    def _add_headers(self, scope: Scope, message: Message, exchange: _Exchange) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers[name] = value
        headers["X-Request-Id"] = exchange.id
        headers.setdefault("Cache-Control", "no-store")
        exchange.body_ended = exchange.body_ended or not _has_body(Headers(scope=scope))
        if exchange.status >= 400 and not exchange.body_ended:
            headers["Connection"] = "close"

    async def _sent(self, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                await send(message)
        except TimeoutError:
            raise SlowReaderError from None

    def _tell(self, scope: Scope, exchange: _Exchange) -> None:
        seconds = time.monotonic() - exchange.start
        status = exchange.status if exchange.finished else CLIENT_LEFT
        # What the client wrote as method or path is not repeated: it may be anything.
        method = scope["method"] if scope["method"] in METHODS else "other"
        path = _route(scope)
        self._metrics.answered(method, path, status, seconds)
        log(
            "request",
            logging.ERROR if status >= 500 and status != 503 else logging.INFO,
            id=exchange.id,
            method=method,
            path=path,
            status=status,
            seconds=round(seconds, 4),
            received=exchange.received,
            client=(scope.get("client") or ("",))[0],
        )


def _route(scope: Scope) -> str:
    """Return the path of the route that a request took; "other" where there is none."""
    if "route" in scope:
        return str(scope["route"].path)
    first = "/" + scope["path"].split("/")[1]
    return first if first in _PAGES else "other"


def _counting(receive: Receive, exchange: _Exchange) -> Receive:
    async def receiving() -> Message:
        message = await receive()
        exchange.received += len(message.get("body", b""))
        exchange.body_ended = not message.get("more_body", False)
        return message

    return receiving


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _must_drain(exchange: _Exchange) -> bool:
    # Whoever was too slow is not waited for.
    return exchange.status >= 400 and exchange.status != 408 and not exchange.body_ended


async def _drain(receive: Receive) -> None:
    """Read the rest of a body away, within bounds."""
    left, until = _DRAIN_BYTES, time.monotonic() + _DRAIN_SECONDS
    with contextlib.suppress(TimeoutError):
        while left > 0 and time.monotonic() < until:
            async with asyncio.timeout(_DRAIN_IDLE_SECONDS):
                message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return
