"""Pooled keep-alive connections that reach only checked addresses, under a watchdog.

urllib3's pools are used directly, with one TLS context for all: a new context for each connection,
or a new connection for each picture, costs more than all the rest of a download.
"""

import logging
import os
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from amlc.errors import ImageError
from amlc.images.addresses import Resolver, connect
from amlc.images.links import Link
from amlc.images.settings import ImageSettings
from amlc.images.watchdog import Watch

MAX_POOLS = 64


class Transport:
    """Sends requests and gives responses whose bodies are still to be read.

    Parameters
    ----------
    settings : ImageSettings

    Raises
    ------
    ImageError
        The CA bundle cannot be read.
    """

    def __init__(self, settings: ImageSettings) -> None:
        self._resolver = Resolver(settings.allow_private_hosts, settings.connect_seconds)
        self._connect_seconds = settings.connect_seconds
        self._timeout = Timeout(connect=settings.connect_seconds, read=settings.read_seconds)
        self._connections = settings.per_host
        self._context = _tls_context(settings.ca_bundle)
        self._pools: OrderedDict[tuple[str, str, int], urllib3.HTTPConnectionPool] = OrderedDict()
        self._lock = threading.Lock()
        self._current = threading.local()
        # Strange headers are a hostile server's matter, not the user's.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def get(self, link: Link, headers: Mapping[str, str], watch: Watch) -> BaseHTTPResponse:
        """Send a GET request and read the headers of the answer.

        Parameters
        ----------
        link : Link
        headers : mapping
        watch : Watch
            Shuts the connection when the time is up.

        Raises
        ------
        Fault
            From resolving and connecting.
        urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError
            From all the rest.
        """
        self._current.watch = watch
        return self._pool(link).urlopen(
            "GET",
            link.target,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def watch(self) -> Watch:
        """Return the watch of the calling thread's request."""
        watch: Watch = self._current.watch
        return watch

    def let_go(self, line: socket.socket) -> None:
        """Close a second handle, now or when the request that still needs it has ended."""
        watch: Watch | None = getattr(self._current, "watch", None)
        if watch is None or not watch.keep(line):
            line.close()

    def connect(self, host: str, port: int) -> socket.socket:
        """Open a connection to a checked address."""
        return connect(self._resolver, host, port, self._connect_seconds)

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool(self, link: Link) -> urllib3.HTTPConnectionPool:
        key = (link.scheme, link.host, link.port)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = self._new_pool(*key)
            self._pools.move_to_end(key)
            if len(self._pools) > MAX_POOLS:
                self._pools.popitem(last=False)[1].close()
        return pool

    def _new_pool(self, scheme: str, host: str, port: int) -> urllib3.HTTPConnectionPool:
        common: dict[str, Any] = {
            "timeout": self._timeout,
            "maxsize": self._connections,
            "transport": self,
        }
        if scheme == "http":
            return _Pool(host, port, **common)
        return _TlsPool(host, port, ssl_context=self._context, **common)


class _Connection(HTTPConnection):
    """urllib3's connection, but to a checked address and under the thread's watch."""

    _line: socket.socket | None = None

    def __init__(self, *args: Any, transport: Transport, **others: Any) -> None:
        super().__init__(*args, **others)
        self._transport = transport

    def _new_conn(self) -> socket.socket:
        sock = self._transport.connect(self.host, self.port)
        # TLS takes the socket over; a second handle stays good for shutting the line.
        self._line = sock.dup()
        self._transport.watch().attach(self._line)
        return sock

    def request(self, *args: Any, **others: Any) -> None:
        if self._line is not None:
            self._transport.watch().attach(self._line)
        super().request(*args, **others)

    def close(self) -> None:
        try:
            super().close()
        finally:
            line, self._line = self._line, None
            if line is not None:
                self._transport.let_go(line)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _tls_context(bundle: str | None) -> ssl.SSLContext:
    path = bundle or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    try:
        return ssl.create_default_context(cafile=path or DEFAULT_CA_BUNDLE_PATH)
    except OSError as error:
        raise ImageError(
            f"images.ca_bundle: {path}: cannot be read as certificates: {error}"
        ) from None
