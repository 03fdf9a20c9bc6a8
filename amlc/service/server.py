"""The running service: the application in uvicorn, with bounds on its connections."""

import asyncio
import http
import socket
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from amlc.errors import AmlcError
from amlc.pricing.estimates import Pricer, Product
from amlc.pricing.pricer import BundlePricer
from amlc.pricing.workers import Workers
from amlc.service.app import create_app
from amlc.service.limits import Limits
from amlc.service.monitoring import configure_logging, log
from amlc.service.problems import Problem, busy

# Priced before the service listens, so that no client waits for what only the first price needs.
_WARM_UP = Product("Item Name: Green Tea, 20 Bags\nValue: 20.0\nUnit: Count\n")

# The processes that price a long CSV yield to the one that prices single products.
_NICENESS = 10


def serve(bundle: Path, host: str, port: int, limits: Limits) -> None:
    """Load a bundle and serve it until SIGTERM or an interrupt; then finish running requests.

    Parameters
    ----------
    bundle : Path
        Folder that the stage ``bundle`` wrote.
    host : str
        Address to listen on; no request is accepted before the model is loaded.
    port : int
        Port to listen on; 0 for any that is free.
    limits : Limits
        The limits on sizes, numbers and times.

    Raises
    ------
    AmlcError
        The bundle cannot be used, or the address cannot be listened on.
    """
    with listen(host, port) as listener:
        configure_logging()
        pricer = BundlePricer.load(bundle)
        pricer.price([_WARM_UP], similar=1, contributions=True)
        for name, seconds in pricer.deep_seconds().items():
            print(
                f"the pretrained model {name} takes {1000 * seconds:.0f} ms per product", flush=True
            )
        workers = None
        if limits.csv_workers:
            workers = Workers(bundle, limits.csv_workers, _NICENESS, pricer.version)
        create_server(pricer, limits, workers).run([listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; the parameters are those of `serve`."""
    if not 0 <= port <= 65_535:
        raise AmlcError(f"cannot listen on {host}:{port}: a port is a number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise AmlcError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    # Its connections inherit this. Without it, each response waits 40 ms for the client to
    # acknowledge its headers; asyncio sets it only where a socket names TCP as its protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def create_server(pricer: Pricer, limits: Limits, workers: Workers | None = None) -> uvicorn.Server:
    """Return a server that is not running yet; the parameters are those of `create_app`."""
    config = uvicorn.Config(
        create_app(pricer, limits, workers),
        # uvicorn makes the instances itself.
        http=type("BoundedProtocol", (_BoundedProtocol,), {"limits": limits}),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.shutdown_seconds,
    )
    return _Server(config)


class _Server(uvicorn.Server):
    """A server that prints its address once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            address = f"[{host}]" if ":" in host else host
            print(f"listening on http://{address}:{port}", flush=True)
            log("started", host=host, port=port)


class _BoundedProtocol(H11Protocol):
    """Bounds the number of connections, and the time that the headers of a request take.

    No setting of uvicorn, Hypercorn or Granian refuses a connection that sends nothing or too
    slowly with a status, or one beyond a number of idle ones.
    """

    limits: Limits
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(busy("Too many connections are open"))
        else:
            self._start_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None and not self.transport.is_closing():
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem(400, f"The request cannot be read: {msg.rstrip('.').lower()}."))

    def _start_timer(self) -> None:
        problem = Problem(408, "The headers of the request arrived too slowly; send it again.")
        self._timer = self.loop.call_later(self.limits.header_seconds, self._refuse, problem)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, problem: Problem) -> None:
        """Send an error without reading a request, and close the connection."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        response = problem.response()
        response.headers["Connection"] = "close"
        status = http.HTTPStatus(response.status_code)
        headers = (f"{name}: {value}" for name, value in response.headers.items())
        head = "\r\n".join([f"HTTP/1.1 {status} {status.phrase}", *headers, "", ""])
        self.transport.write(head.encode() + bytes(response.body))
        self.transport.close()
