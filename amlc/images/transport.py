"""Pooled keep-alive connections to checked addresses only, each with a deadline."""

import contextlib
import heapq
import itertools
import logging
import os
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from amlc.catalog.links import Link
from amlc.errors import ImageError
from amlc.images.addresses import Resolver, connect
from amlc.images.settings import FetchSettings


class Watch:
    """The deadline of one request.

    Attributes
    ----------
    expired : bool
        Whether the deadline passed before the watch was closed.
    closed : bool
        Whether the request has ended.
    """

    def __init__(self) -> None:
        self.expired = False
        self.closed = False
        self._socket: socket.socket | None = None
        self._kept = False
        self._lock = threading.Lock()

    def attach(self, sock: socket.socket) -> None:
        """Set the socket to shut down at the deadline, in place of any earlier one."""
        with self._lock:
            self._socket = sock
            if self.expired:
                _shut(sock)

    def keep(self, sock: socket.socket) -> bool:
        """Take over closing a socket if it is the one of this watch; return whether it is.

        http.client closes a connection before it reads the body of its last response, and that body
        has to be cut off at the deadline as well.
        """
        with self._lock:
            self._kept = sock is self._socket
            return self._kept

    def expire(self) -> None:
        """Shut the socket down now, unless the watch was closed."""
        with self._lock:
            if self.closed:
                return
            self.expired = True
            if self._socket is not None:
                _shut(self._socket)

    def close(self) -> None:
        """End the watch; from now on its socket may be used for other requests."""
        with self._lock:
            self.closed = True
            if self._kept and self._socket is not None:
                self._socket.close()
            self._socket = None


class Watchdog:
    """A thread that shuts sockets down at their deadlines."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def watch(self, seconds: float) -> Iterator[Watch]:
        """Yield a watch that expires after `seconds`, unless the block ends before."""
        watch = Watch()
        with self._changed:
            while self._heap and self._heap[0][2].closed:
                heapq.heappop(self._heap)
            entry = (time.monotonic() + seconds, next(self._order), watch)
            heapq.heappush(self._heap, entry)
            # The thread sleeps until the first deadline; only an earlier one has to wake it.
            if self._heap[0] is entry:
                self._changed.notify()
            if self._closed:
                watch.expire()
        try:
            yield watch
        finally:
            watch.close()

    def close(self) -> None:
        """Expire every open watch, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                left = self._heap[0][0] - time.monotonic() if self._heap else None
                if left is None or left > 0:
                    self._changed.wait(left)
                else:
                    heapq.heappop(self._heap)[2].expire()
            for _, _, watch in self._heap:
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
        self._timeout = Timeout(connect=fetching.connect_seconds, read=fetching.read_seconds)
        self._connections = fetching.per_host
        self._context = _tls_context(fetching.ca_bundle)
        self._pools: OrderedDict[tuple[str, str, int], urllib3.HTTPConnectionPool] = OrderedDict()
        self._lock = threading.Lock()
        self._current = threading.local()
        # urllib3 would log invalid headers of servers, which the user cannot change.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

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

    def close_duplicate(self, sock: socket.socket) -> None:
        """Close a duplicate socket, now or at the end of the request that still needs it."""
        watch: Watch | None = getattr(self._current, "watch", None)
        if watch is None or not watch.keep(sock):
            sock.close()

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
    """A connection of urllib3 to a checked address, with the deadline of each request."""

    _duplicate: socket.socket | None = None

    def __init__(self, *args: Any, transport: Transport, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._transport = transport

    def _new_conn(self) -> socket.socket:
        sock = self._transport.connect(self.host, self.port)
        # TLS will take over the socket, but through a duplicate the connection can be shut down.
        self._duplicate = sock.dup()
        self._transport.watch().attach(self._duplicate)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self._duplicate is not None:
            self._transport.watch().attach(self._duplicate)
        super().request(*args, **kwargs)

    def close(self) -> None:
        try:
            super().close()
        finally:
            duplicate, self._duplicate = self._duplicate, None
            if duplicate is not None:
                self._transport.close_duplicate(duplicate)


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
            f"fetching.ca_bundle: {path}: cannot be read as certificates: {error}"
        ) from None
