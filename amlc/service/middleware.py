"""What every request has: bounds on its body and its response, headers, a log line, errors."""

import asyncio
import contextlib
import logging
import secrets
import time
from functools import partial
from http import HTTPMethod

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amlc.service.limits import Limits
from amlc.service.monitoring import Metrics, log
from amlc.service.problems import Problem

JSON, FORM, CSV = "application/json", "multipart/form-data", "text/csv"

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
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_PAGES = frozenset({"/", "/docs", "/openapi.json", "/static"})
# Logged for a client that left before its response was complete, as nginx does.
CLIENT_LEFT = 499
# After an early error this much of the body is still read, so that a client that is still sending
# receives the response instead of a broken connection.
_DRAIN_BYTES, _DRAIN_SECONDS, _DRAIN_IDLE_SECONDS = 64_000_000, 2.0, 0.25


def media_type(scope: Scope) -> str:
    """Return the media type of a request's body, without parameters."""
    header = Headers(scope=scope).get("content-type", "")
    return header.partition(";")[0].strip().lower()


class SlowReaderError(Exception):
    """A client does not read its response."""


class BoundsMiddleware:
    """ASGI middleware that bounds what a client can make the service keep and wait for.

    A body is bounded in its size, by its media type, and in its time, as a whole and between two of
    its parts. A client that does not read its response is given up.

    Parameters
    ----------
    app : ASGIApp
    limits : Limits
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._max_bytes = {
            JSON: limits.body_bytes,
            FORM: limits.image_bytes + limits.body_bytes,
            CSV: limits.csv_bytes,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kind = media_type(scope)
        # No path reads a body of another type.
        max_bytes = self._max_bytes.get(kind, 0)
        body_type = _FormBody if kind == FORM else _Body
        body = body_type(scope, receive, max_bytes, self._limits)
        if kind == FORM:
            scope = _with_undecoded_fields(scope)
        await self._app(scope, body.receive, partial(self._send, send, body))

    async def _send(self, send: Send, body: "_Body", message: Message) -> None:
        """Send a part of a response; after an early error, read the rest of the body first."""
        if message["type"] == "http.response.start":
            early_error = message["status"] >= 400 and not body.ended
            if early_error:
                MutableHeaders(scope=message)["Connection"] = "close"
            # After a 408 the client was too slow already.
            body.must_drain = early_error and message["status"] != 408
        elif body.must_drain and _is_last(message):
            await self._send_in_time(send, {**message, "more_body": True})
            await body.drain()
            message = {"type": "http.response.body"}
        await self._send_in_time(send, message)

    async def _send_in_time(self, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                await send(message)
        except TimeoutError:
            raise SlowReaderError from None


class _Body:
    """The body of a request, received within bounds."""

    def __init__(self, scope: Scope, receive: Receive, max_bytes: int, limits: Limits) -> None:
        headers = Headers(scope=scope)
        self._declared = int(headers.get("content-length", "0"))
        self._receive = receive
        self._max_bytes = self._left = max_bytes
        self._idle_seconds = limits.idle_seconds
        self._end = time.monotonic() + limits.upload_seconds
        self.ended = not self._declared and "transfer-encoding" not in headers
        self.must_drain = False
        # As the parser of forms reads it.
        self._options = {} if self.ended else parse_options_header(headers.get("content-type"))[1]

    async def receive(self) -> Message:
        """Receive a part; raises a `Problem` beyond a bound, and for a charset but UTF-8."""
        if self.ended:
            return await self._receive()
        if self._options.get(b"charset", b"utf-8").decode("latin-1").lower() not in _CHARSETS:
            raise Problem(415, "Send the body as UTF-8.")
        if self._declared > self._max_bytes:
            raise self._too_large()
        seconds = min(self._idle_seconds, self._end - time.monotonic())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                message = await self._receive()
        except TimeoutError:
            raise Problem(
                408, "The body of the request arrived too slowly; send it again."
            ) from None
        self.ended = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise self._too_large()
        return message

    def _too_large(self) -> Problem:
        return Problem(
            413,
            f"The body of the request is too large: at most {self._max_bytes:,} bytes are allowed.",
        )

    async def drain(self) -> None:
        """Read the rest and discard it, within bounds."""
        left, end = _DRAIN_BYTES, time.monotonic() + _DRAIN_SECONDS
        with contextlib.suppress(TimeoutError):
            while not self.ended and left > 0 and time.monotonic() < end:
                async with asyncio.timeout(_DRAIN_IDLE_SECONDS):
                    message = await self._receive()
                left -= len(message.get("body", b""))
                self.ended = not message.get("more_body", False)


def _with_undecoded_fields(scope: Scope) -> Scope:
    """Return a request for whose form the parser gives each byte of a text as a character.

    Told that a form is UTF-8, it takes a text that is not for Latin-1. The models decode it.
    """
    headers = MutableHeaders(raw=list(scope["headers"]))
    headers["content-type"] += "; charset=latin-1"
    return {**scope, "headers": headers.raw}


class _FormBody(_Body):
    """The body of a request with a form, which has to end as it says that it does.

    The parser takes a form that was cut off for one whose last fields were not given.
    """

    def __init__(self, scope: Scope, receive: Receive, max_bytes: int, limits: Limits) -> None:
        super().__init__(scope, receive, max_bytes, limits)
        self._last_boundary = b"\r\n--" + self._options.get(b"boundary", b"") + b"--"
        self._tail = b"\r\n"
        self._is_whole = False

    async def receive(self) -> Message:
        """Receive a part; also raises a `Problem` where the body ends before the form does."""
        message = await super().receive()
        if message["type"] == "http.request":
            self._tail += message.get("body", b"")
            self._is_whole = self._is_whole or self._last_boundary in self._tail
            self._tail = self._tail[-len(self._last_boundary) :]
            if self.ended and not self._is_whole:
                raise Problem(400, "The body cannot be read: the form is cut off before its end.")
        return message


class _Exchange:
    """A request and what is known of its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.id = secrets.token_hex(8)
        self.start = time.monotonic()
        self.status = 0
        self.received = 0
        self.finished = False
        self.left = False
        self._scope = scope
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        if message["type"] == "http.disconnect" and not self.finished:
            self.left = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.update({**HEADERS, "X-Request-Id": self.id})
            # A browser asks for a page each time, and gets a 304 if nothing changed, so a new
            # version shows at once.
            is_page = _route(self._scope) in _PAGES
            headers["Cache-Control"] = "no-cache" if is_page else "no-store"
        await self._send(message)
        self.finished = _is_last(message)


class RequestMiddleware:
    """ASGI middleware that gives each request an id, a line in the log and security headers.

    It turns unexpected errors into responses.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except (ClientDisconnect, SlowReaderError):
                exchange.left = True
            except Exception as error:
                log("failed", logging.ERROR, error, id=exchange.id)
                if exchange.status:
                    # Part of the response is sent already. uvicorn now drops the connection, so
                    # that the client does not mistake that part for the whole response.
                    raise
                detail = (
                    f"The server failed to handle this request; its log has the id {exchange.id}."
                )
                response = Problem(500, detail).response()
                await response(scope, exchange.receive, exchange.send)
            finally:
                self._record(scope, exchange)

    def _record(self, scope: Scope, exchange: _Exchange) -> None:
        """Count and log a request that has ended."""
        seconds = time.monotonic() - exchange.start
        status = exchange.status if exchange.finished and not exchange.left else CLIENT_LEFT
        # A client can send anything as method or path, so neither is logged as it was sent.
        method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "other"
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


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def _route(scope: Scope) -> str:
    """Return the path of the route that a request took; "other" where there is none."""
    if "route" in scope:
        return str(scope["route"].path)
    # What OPTIONS and CONNECT ask for need not begin with a slash.
    first = "/".join(scope["path"].split("/")[:2])
    return first if first in _PAGES else "other"
