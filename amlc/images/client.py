"""One attempt to fetch a link: the connection, redirects, headers and the body, within limits."""

import functools
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError, ReadTimeoutError, SSLError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

import amlc
from amlc.catalog.links import Link, parse_link
from amlc.errors import ImageError
from amlc.images.addresses import Resolver, check_address, check_host
from amlc.images.deadlines import Watchdog
from amlc.images.fetch_result import (
    BROKEN,
    EMPTY,
    NOT_HTTP,
    OPTED_OUT,
    PROXY_FAILURE,
    REDIRECT_NOT_ALLOWED,
    TIMEOUT,
    TLS_FAILURE,
    TOO_MANY_BYTES,
    TOO_MANY_REDIRECTS,
    TRUNCATED,
    FetchError,
    Retry,
)
from amlc.images.proxies import environment_proxies, goes_direct
from amlc.images.responses import (
    Cookies,
    covered_length,
    declared_length,
    decompress,
    location_text,
    opted_out,
    retry_after,
)
from amlc.images.settings import FetchSettings, HostRules

MAX_REDIRECTS = 5
# Hosts whose connections are kept.
MAX_POOLS = 64
REDIRECTS = frozenset({301, 302, 303, 307, 308})
GONE = frozenset({404, 410})
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
# Statuses of an answer with the whole content; so is 206, if its range covers it.
WHOLE = frozenset({200, 201, 203})
HEADERS = {
    "User-Agent": (
        f"{amlc.__name__}/{amlc.__version__} (image downloader of a price prediction project)"
    ),
    # JPEG is preferred, because only JPEG files can be decoded at reduced size.
    "Accept": "image/jpeg, image/png;q=0.9, image/gif;q=0.8, image/webp;q=0.7",
    "Accept-Encoding": "identity",
}
# The rest of a body up to this length is read, so that its connection can be used again.
_DRAIN_BYTES = 16_384
# Bodies above this length are read by this many threads at once.
_LARGE_BYTES, _LARGE_AT_ONCE = 1_000_000, 4
# What urllib3, http.client and sockets raise.
_NETWORK_ERRORS = (HTTPError, http.client.HTTPException, OSError, ValueError)
# The first entry that matches an error or an error inside it gives the reason.
_REASONS = (
    (ssl.SSLCertVerificationError, TLS_FAILURE, Retry.NEXT_RUN),
    ((ReadTimeoutError, TimeoutError), TIMEOUT, Retry.NOW),
    ((IncompleteRead, http.client.IncompleteRead), TRUNCATED, Retry.NOW),
    ((ssl.SSLError, SSLError), TLS_FAILURE, Retry.NOW),
    (ConnectionError, BROKEN, Retry.NOW),
    (http.client.HTTPException, NOT_HTTP, Retry.NOW),
    ((ProtocolError, OSError), BROKEN, Retry.NOW),
)


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a response.

    Parameters
    ----------
    data : bytes
        The content, decompressed.
    complete : bool
        Whether it is known to be complete, by its declared length or by chunks.
    """

    data: bytes
    complete: bool


class Client:
    """Fetches links, from any number of threads.

    Parameters
    ----------
    rules : HostRules
        Which hosts may be asked.
    max_bytes : int
        Limit of a body, as declared, as received and after decompression.
    fetching : FetchSettings
        Time limits, connections per host, CA bundle, and whether to use a proxy.

    Raises
    ------
    ImageError
        The CA bundle cannot be read, or the environment names an unusable proxy.
    """

    def __init__(self, rules: HostRules, max_bytes: int, fetching: FetchSettings) -> None:
        self._rules = rules
        self._max_bytes = max_bytes
        self._fetching = fetching
        self._large = threading.BoundedSemaphore(_LARGE_AT_ONCE)
        # One context for all connections: loading the certificates takes longer than a picture.
        self._context = _tls_context(fetching.ca_bundle)
        proxies = environment_proxies() if fetching.use_proxy else {}
        self._watchdog = Watchdog()
        self._pools = urllib3.PoolManager(MAX_POOLS)
        self._set_classes(self._pools, rules.allow_private_hosts)
        # By scheme of the link.
        self._proxies: dict[str, urllib3.ProxyManager] = {}
        for scheme, proxy in proxies.items():
            pools = urllib3.ProxyManager(proxy.url, MAX_POOLS, proxy_headers=proxy.headers)
            # A proxy may have a private address, and these pools connect to nothing else.
            self._set_classes(pools, [proxy.host])
            self._proxies[scheme] = pools

    def _set_classes(self, pools: urllib3.PoolManager, private: Collection[str]) -> None:
        """Make the connections of `pools` go to checked addresses, and obey deadlines."""
        fetching = self._fetching
        options: dict[str, Any] = {
            "timeout": Timeout(connect=fetching.connect_seconds, read=fetching.read_seconds),
            "maxsize": fetching.per_host,
            "resolver": Resolver(private, fetching.connect_seconds),
            "watchdog": self._watchdog,
        }
        classes: dict[str, Any] = {
            "http": functools.partial(_Pool, **options),
            "https": functools.partial(_TlsPool, ssl_context=self._context, **options),
        }
        pools.pool_classes_by_scheme = classes

    def close(self) -> None:
        """Abort all requests and close all connections."""
        self._watchdog.close()
        for pools in (self._pools, *self._proxies.values()):
            pools.clear()

    def fetch(self, link: Link) -> Body:
        """Try once to get the body of a link, within the deadline.

        Raises
        ------
        FetchError
            Whatever the cause.
        """
        with self._watchdog.watch(self._fetching.deadline_seconds) as watch:
            result: Body | FetchError
            try:
                result = self._follow(link)
            except _NETWORK_ERRORS as error:
                result = _fetch_error(error)
            except FetchError as error:
                result = error
            # A connection that was shut down in the middle of a body can look like the body's end.
            if watch.expired:
                result = FetchError(TIMEOUT, Retry.NOW)
            if isinstance(result, FetchError):
                raise result
            return result

    def _follow(self, link: Link) -> Body:
        """Get the body of a link, or of the link that it redirects to."""
        cookies = Cookies()
        for _ in range(MAX_REDIRECTS + 1):
            check_host(link, self._rules)
            response = self._get(link, cookies.header(link))
            try:
                location: str | None = response.headers.get("Location")
                if response.status not in REDIRECTS or location is None:
                    return self._read_body(response)
                cookies.add(link, response.headers.getlist("Set-Cookie"))
            finally:
                _release(response)
            try:
                link = parse_link(urljoin(link.url, location_text(location)))
            except ValueError:  # LinkError is one
                raise FetchError(REDIRECT_NOT_ALLOWED, Retry.AFTER_EXPIRY) from None
        raise FetchError(TOO_MANY_REDIRECTS, Retry.AFTER_EXPIRY)

    def _get(self, link: Link, cookie: str) -> BaseHTTPResponse:
        """Send a request, and read the headers of the response."""
        pools, target = self._pools, link.target
        if link.scheme in self._proxies and not goes_direct(link):
            check_address(link, self._rules)
            pools = self._proxies[link.scheme]
            target = link.url if link.scheme == "http" else link.target
        return pools.connection_from_host(link.host, link.port, link.scheme).urlopen(
            "GET",
            target,
            headers={**HEADERS, "Cookie": cookie} if cookie else HEADERS,
            retries=False,
            redirect=False,
            # The host of a link is not that of its proxy.
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )

    def _read_body(self, response: BaseHTTPResponse) -> Body:
        self._check_headers(response)
        limit = self._max_bytes
        declared = declared_length(response.headers.get("Content-Length", ""))
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            declared = covered_length(response.headers.get("Content-Range", ""))
        if declared is not None and declared > limit:
            raise FetchError(TOO_MANY_BYTES, Retry.AFTER_EXPIRY)
        data = self._read(response, limit + 1)
        if len(data) > limit:
            raise FetchError(TOO_MANY_BYTES, Retry.AFTER_EXPIRY)
        if declared is not None and len(data) < declared:
            raise FetchError(TRUNCATED, Retry.NOW)
        data = decompress(data, response.headers.get("Content-Encoding", ""), limit)
        if not data:
            raise FetchError(EMPTY, Retry.AFTER_EXPIRY)
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        return Body(data, declared is not None or chunked)

    def _read(self, response: BaseHTTPResponse, limit: int) -> bytes:
        """Read a body; only a few large ones at once, so that they cannot fill the memory."""
        data = response.read(min(limit, _LARGE_BYTES), decode_content=False)
        if len(data) < _LARGE_BYTES:
            return data
        with self._large:
            return data + response.read(limit - len(data), decode_content=False)

    def _check_headers(self, response: BaseHTTPResponse) -> None:
        status = response.status
        if status in GONE:
            raise FetchError(f"http {status}", Retry.AFTER_EXPIRY)
        if status in BUSY:
            wait = retry_after(response.headers.get("Retry-After", ""), time.time())
            if wait <= self._fetching.retry_after_seconds:
                raise FetchError(f"http {status}", Retry.NOW, wait)
        whole = status == http.HTTPStatus.PARTIAL_CONTENT and covered_length(
            response.headers.get("Content-Range", "")
        )
        if status not in WHOLE and not whole:
            raise FetchError(f"http {status}", Retry.NEXT_RUN)
        if self._rules.respect_noai and opted_out(response.headers.get("X-Robots-Tag", "")):
            raise FetchError(OPTED_OUT, Retry.AFTER_EXPIRY)


class _Connection(HTTPConnection):
    """A connection of urllib3 to a checked address, with the deadline of each request."""

    def __init__(self, *args: Any, resolver: Resolver, watchdog: Watchdog, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._resolver = resolver
        self._watchdog = watchdog

    def _new_conn(self) -> socket.socket:
        try:
            sock = self._resolver.connect(self.host, self.port)
        except FetchError as error:
            raise FetchError(PROXY_FAILURE, error.retry) if self.proxy else error from None
        self._watchdog.attach(sock)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._watchdog.attach(self.sock)
        super().request(*args, **kwargs)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _release(response: BaseHTTPResponse) -> None:
    """Return the connection to its pool if the body was read to its end, else close it."""
    declared = declared_length(response.headers.get("Content-Length", ""))
    try:
        # Reading the rest of a short body is cheaper than another handshake.
        if not response.closed and declared is not None and declared <= _DRAIN_BYTES:
            response.read(decode_content=False)
    except _NETWORK_ERRORS:
        pass
    if not response.closed:
        response.close()
    response.release_conn()


def _fetch_error(error: Exception) -> FetchError:
    """Translate an error of urllib3, http.client, ssl or a socket."""
    causes = [error, *error.args, error.__cause__, error.__context__]
    if any(str(cause).startswith("Tunnel connection failed") for cause in causes):
        return FetchError(PROXY_FAILURE, Retry.NOW)
    for kinds, reason, retry in _REASONS:
        if any(isinstance(cause, kinds) for cause in causes):
            return FetchError(reason, retry)
    return FetchError(NOT_HTTP, Retry.NOW)


def _tls_context(bundle: str | None) -> ssl.SSLContext:
    path = bundle or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    try:
        return ssl.create_default_context(cafile=path or certifi.where())
    except OSError as error:
        raise ImageError(
            f"fetching.ca_bundle: {path}: cannot be read as certificates: {error}"
        ) from None
