"""The application in uvicorn, on a socket that listens."""

import socket
from pathlib import Path

import uvicorn

from amlc.serving.answers import Pricer, Question
from amlc.serving.http import log
from amlc.serving.http.app import create_app
from amlc.serving.http.limits import Limits
from amlc.serving.http.protocol import protocol
from amlc.serving.pricer import BundlePricer
from amlc.serving.workers import Workers

# What is slow once, such as opening the boosters, is over before the first product comes.
_WARM_UP = Question("Item Name: Green Tea, 20 Bags\nValue: 20.0\nUnit: Count\n")


def serve(bundle: Path, listener: socket.socket, limits: Limits) -> None:
    """Load a bundle and serve it until SIGTERM or an interrupt.

    Parameters
    ----------
    bundle : Path
        Folder that the stage ``bundle`` wrote.
    listener : socket
        Bound to its address; nothing is accepted before the model is loaded.
    limits : Limits

    Raises
    ------
    AmlcError
        The bundle cannot be used.
    """
    log.set_up()
    pricer = BundlePricer.load(bundle)
    pricer.price([_WARM_UP], similar=1, contributions=True)
    workers = Workers(bundle, limits.csv_workers) if limits.csv_workers else None
    server(pricer, limits, workers).run([listener])


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
            log.log("started", host=host, port=port)
