"""What every request has: bounds on its body and its response, headers, a log line, errors."""

import asyncio
import contextlib
import logging
import secrets
import time
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amlc.service.limits import Limits
from amlc.service.monitoring import Metrics, log, log_error
from amlc.service.problems import Problem

# Scripts, styles and data from this server only; pictures also from the responses themselves.
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
# Logged for a client that left before its response was complete, as nginx does.
CLIENT_LEFT = 499
# After an early error this much of the body is still read, so that a client that is still sending
# receives the response instead of a broken connection.
_DRAIN_BYTES, _DRAIN_SECONDS, _DRAIN_IDLE_SECONDS = 64_000_000, 2.0, 0.25


class SlowReaderError(Exception):
    """A client does not read its response."""


@dataclass
class _Exchange:
    """A request that is being answered."""

    id: str
    start: float
    status: int = 0
    received: int = 0
    body_ended: bool = False
    finished: bool = False


class RequestMiddleware:
    """ASGI middleware around the whole application.

    It gives each request an id and a line in the log, adds security headers, turns unexpected
    errors into responses, and gives up on clients that do not read their response.

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
                await self._handle(scope, receive, send, exchange)
            finally:
                self._record(scope, exchange)

    async def _handle(
        self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange
    ) -> None:
        receive = _counting(receive, exchange)
        send = self._sending(scope, receive, send, exchange)
        try:
            await self._app(scope, receive, send)
        except (ClientDisconnect, SlowReaderError):
            exchange.status = CLIENT_LEFT
        except Exception as error:
            log_error("failed", error, id=exchange.id)
            if exchange.status:
                # Part of the response is sent already. uvicorn now drops the connection, so that
                # the client does not mistake that part for the whole response.
                raise
            problem = Problem(
                500, f"The server failed to handle this request; its log has the id {exchange.id}."
            )
            await problem.response()(scope, receive, send)

    def _sending(self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange) -> Send:
        """Return `send` with headers added, a bound on time, and the rest of the body read."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                self._add_headers(scope, message, exchange)
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and _must_drain(exchange):
                await self._send_in_time(send, {**message, "more_body": True})
                await _drain(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await self._send_in_time(send, message)
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

    async def _send_in_time(self, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                await send(message)
        except TimeoutError:
            raise SlowReaderError from None

    def _record(self, scope: Scope, exchange: _Exchange) -> None:
        """Count and log a request that has ended."""
        seconds = time.monotonic() - exchange.start
        status = exchange.status if exchange.finished else CLIENT_LEFT
        # A client can send anything as method or path, so neither is logged as it was sent.
        method = scope["method"] if scope["method"] in METHODS else "other"
        path = _route(scope)
        self._metrics.count_request(method, path, status, seconds)
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
    """Return `receive` with the bytes of the body counted."""

    async def receiving() -> Message:
        message = await receive()
        exchange.received += len(message.get("body", b""))
        exchange.body_ended = not message.get("more_body", False)
        return message

    return receiving


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _must_drain(exchange: _Exchange) -> bool:
    # After a 408 the client was too slow already.
    return exchange.status >= 400 and exchange.status != 408 and not exchange.body_ended


async def _drain(receive: Receive) -> None:
    """Read the rest of a body and discard it, within bounds."""
    left, end = _DRAIN_BYTES, time.monotonic() + _DRAIN_SECONDS
    with contextlib.suppress(TimeoutError):
        while left > 0 and time.monotonic() < end:
            async with asyncio.timeout(_DRAIN_IDLE_SECONDS):
                message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return


def bound_body(request: Request, max_bytes: int, limits: Limits) -> Request:
    """Return the same request with bounds on the size of its body and on the time to read it.

    Parameters
    ----------
    request : Request
    max_bytes : int
        Largest size of the body.
    limits : Limits
        How long the body may take, as a whole and between two of its parts.

    Raises
    ------
    Problem
        413 where the body declares more bytes; reading it raises 413 as well, or 408.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    return Request(request.scope, _bounded_receive(request.receive, max_bytes, limits))


def _bounded_receive(receive: Receive, max_bytes: int, limits: Limits) -> Receive:
    loop = asyncio.get_running_loop()
    end = loop.time() + limits.upload_seconds
    left = max_bytes

    async def receiving() -> Message:
        nonlocal left
        seconds = min(limits.idle_seconds, end - loop.time())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                message = await receive()
        except TimeoutError:
            raise Problem(
                408, "The body of the request arrived too slowly; send it again."
            ) from None
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large(max_bytes)
        return message

    return receiving


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        413, f"The body of the request is too large: at most {max_bytes:,} bytes are allowed."
    )
