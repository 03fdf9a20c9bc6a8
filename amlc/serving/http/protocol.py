"""HTTP connections that are bounded in number and in the time that their headers take.

uvicorn bounds the time between two requests, but not how long a client takes to send the headers
of one; a client that sends a byte now and then would hold its connection for ever.
"""

import asyncio
import http
import json
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from amlc.serving.http.limits import Limits
from amlc.serving.http.problems import MEDIA_TYPE, Problem


def protocol(limits: Limits) -> type[H11Protocol]:
    """Return uvicorn's protocol with the limits of a service."""
    return type("Bounded", (_Protocol,), {"limits": limits})


class _Protocol(H11Protocol):
    limits: Limits
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        # asyncio does so only for sockets that name their protocol, which ours need not; without
        # it each answer waits 40 ms for the client's acknowledgement of its headers.
        line: socket.socket = transport.get_extra_info("socket")
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "Too many connections are open; try again in 1 s.", "Retry-After: 1")
        else:
            self._arm()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._disarm()
        elif self._timer is None and not self.transport.is_closing():
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, f"The request cannot be read: {msg.rstrip('.').lower()}.")

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(408, "The request's headers came too slowly; send it again.")

    def _refuse(self, status: int, detail: str, *headers: str) -> None:
        """Answer without a request, and close."""
        body = json.dumps(Problem(status, detail).body().model_dump()).encode()
        lines = [
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
            f"Content-Type: {MEDIA_TYPE}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *headers,
        ]
        self._disarm()
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()
