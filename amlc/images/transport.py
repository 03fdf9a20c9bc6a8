"""Pooled keep-alive connections to checked addresses only, each with a deadline."""

import contextlib
import functools
import math
import os
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from amlc.catalog.links import Link
from amlc.errors import ImageError
from amlc.images.addresses import Resolver, connect
from amlc.images.settings import FetchSettings

# How often deadlines are checked: a request may take this much longer.
_CHECK_SECONDS = 0.05


class Watch:
    """The deadline of one request.

    Attributes
    ----------
    deadline : float
        In seconds of the monotonic clock.
    expired : bool
        Whether the deadline passed before the watch was closed.
    closed : bool
        Whether the request has ended.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired = False
        self.closed = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def attach(self, sock: socket.socket) -> None:
        """Set the connection to shut down at the deadline, in place of any earlier one."""
        # Through a duplicate the connection can be shut down although TLS has taken over its
        # socket, and although http.client closes it before it reads the last response's body.
        duplicate = socket.fromfd(sock.fileno(), sock.family, sock.type)
        with self._lock:
            self._replace(duplicate)
            if self.expired:
                _shut(duplicate)

    def expire(self) -> None:
        """Shut the connection down now, unless the watch was closed."""
        with self._lock:
            if self.closed:
                return
            self.expired = True
            if self._socket is not None:
                _shut(self._socket)

    def close(self) -> None:
        """End the watch; from now on its connection may be used for other requests."""
        with self._lock:
            self.closed = True
            self._replace(None)

    def _replace(self, sock: socket.socket | None) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = sock


class Watchdog:
    """A thread that shuts connections down at their deadlines."""

    def __init__(self) -> None:
        self._open: set[Watch] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def watch(self, seconds: float) -> Iterator[Watch]:
        """Yield a watch that expires after `seconds`, unless the block ends before."""
        watch = Watch(time.monotonic() + seconds)
        with self._lock:
            self._open.add(watch)
        if self._closed.is_set():
            watch.expire()
        try:
            yield watch
        finally:
            watch.close()
            with self._lock:
                self._open.discard(watch)

    def close(self) -> None:
        """Expire every open watch, and end the thread."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(_CHECK_SECONDS):
            self._expire(time.monotonic())
        self._expire(math.inf)

    def _expire(self, now: float) -> None:
        with self._lock:
            late = [watch for watch in self._open if watch.deadline <= now]
        for watch in late:
            watch.expire()


def _shut(sock: socket.socket) -> None:
    # The server or another thread may just have closed it.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


# Hosts whose connections are kept.
MAX_POOLS = 64


class Transport:
    """Sends requests and returns responses whose bodies have not been read yet.

    Parameters
    ----------
    private_hosts : collection of str
        Hosts that may have private addresses.
    fetching : FetchSettings
        Time limits, connections per host and CA bundle.

    Raises
    ------
    ImageError
        The CA bundle cannot be read.
    """

    def __init__(self, private_hosts: Collection[str], fetching: FetchSettings) -> None:
        self._resolver = Resolver(private_hosts, fetching.connect_seconds)
        self._connect_seconds = fetching.connect_seconds
        self._current = threading.local()
        common: dict[str, Any] = {
            "timeout": Timeout(connect=fetching.connect_seconds, read=fetching.read_seconds),
            "maxsize": fetching.per_host,
            "transport": self,
        }
        # One context for all connections: loading the certificates takes longer than a picture.
        context = _tls_context(fetching.ca_bundle)
        classes: dict[str, Any] = {
            "http": functools.partial(_Pool, **common),
            "https": functools.partial(_TlsPool, ssl_context=context, **common),
        }
        self._pools = urllib3.PoolManager(MAX_POOLS)
        self._pools.pool_classes_by_scheme = classes

    def get(self, link: Link, headers: Mapping[str, str], watch: Watch) -> BaseHTTPResponse:
        """Send a GET request and read the headers of the response.

        Parameters
        ----------
        link : Link
            What to get.
        headers : mapping of str to str
            Headers of the request.
        watch : Watch
            Shuts the connection down at the deadline.

        Raises
        ------
        FetchError
            The host cannot be resolved or connected to.
        urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError
            The request failed later.
        """
        self._current.watch = watch
        return self._pools.connection_from_host(link.host, link.port, link.scheme).urlopen(
            "GET",
            link.target,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def watch(self, sock: socket.socket) -> None:
        """Shut a connection down at the deadline of the calling thread's request."""
        self._current.watch.attach(sock)

    def connect(self, host: str, port: int) -> socket.socket:
        """Open a connection to a checked address."""
        return connect(self._resolver, host, port, self._connect_seconds)

    def close(self) -> None:
        """Close all idle connections."""
        self._pools.clear()


class _Connection(HTTPConnection):
    """A connection of urllib3 to a checked address, with the deadline of each request."""

    def __init__(self, *args: Any, transport: Transport, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._transport = transport

    def _new_conn(self) -> socket.socket:
        sock = self._transport.connect(self.host, self.port)
        self._transport.watch(sock)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._transport.watch(self.sock)
        super().request(*args, **kwargs)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _tls_context(bundle: str | None) -> ssl.SSLContext:
    path = bundle or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    try:
        return ssl.create_default_context(cafile=path or certifi.where())
    except OSError as error:
        raise ImageError(
            f"fetching.ca_bundle: {path}: cannot be read as certificates: {error}"
        ) from None
