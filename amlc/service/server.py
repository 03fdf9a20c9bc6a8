"""The application in uvicorn, on a socket that listens; connections bounded in number and time."""

import asyncio
import http
import json
import socket
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from amlc.errors import AmlcError
from amlc.pricing.answers import Pricer, Question
from amlc.pricing.pricer import BundlePricer
from amlc.pricing.workers import Workers
from amlc.service import middleware
from amlc.service.app import create_app
from amlc.service.limits import Limits
from amlc.service.problems import MEDIA_TYPE, Problem


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


# What is slow once, such as opening the boosters, is over before the first product comes.
_WARM_UP = Question("Item Name: Green Tea, 20 Bags\nValue: 20.0\nUnit: Count\n")


def serve(bundle: Path, host: str, port: int, limits: Limits) -> None:
    """Load a bundle and serve it until SIGTERM or an interrupt; finish what is under way then.

    Parameters
    ----------
    bundle : Path
        Folder that the stage ``bundle`` wrote.
    host : str
        Address to listen on; nothing is accepted before the model is loaded.
    port : int
        Port to listen on; 0: any that is free.
    limits : Limits
        What the service takes in, at most.

    Raises
    ------
    AmlcError
        The bundle cannot be used, or nothing can listen there.
    """
    with _listener(host, port) as listener:
        middleware.set_up()
        pricer = BundlePricer.load(bundle)
        pricer.price([_WARM_UP], similar=1, contributions=True)
        workers = Workers(bundle, limits.csv_workers) if limits.csv_workers else None
        server(pricer, limits, workers).run([listener])


def _listener(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise AmlcError(f"cannot listen on {host}:{port}: a port is a number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise AmlcError(f"cannot listen on {host}:{port}: {error.strerror}") from None


def server(pricer: Pricer, limits: Limits, workers: Workers | None = None) -> uvicorn.Server:
    """Return a server that is not running yet."""
    config = uvicorn.Config(
        create_app(pricer, limits, workers),
        http=protocol(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.shutdown_seconds,
    )
    return Announcing(config)


class Announcing(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and print the address."""
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"listening on http://{shown}:{port}", flush=True)
            middleware.log("started", host=host, port=port)
