"""Which hosts and addresses may be connected to, and connections to them."""

import ipaddress
import socket
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from amlc.catalog.links import Link
from amlc.images.fetch_result import (
    ADDRESS_NOT_ALLOWED,
    HOST_NOT_ALLOWED,
    HOST_NOT_FOUND,
    NO_CONNECTION,
    TIMEOUT,
    FetchError,
    Retry,
)
from amlc.images.settings import HostRules

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Top-level names that never exist on the internet (RFC 2606 and 6761).
RESERVED = ("invalid", "test", "example", "localhost")
# How long an answer of the name server is used.
KEEP_SECONDS = 300.0
# Addresses of a host that are tried.
MAX_ADDRESSES = 4
# The network counts as down once this many names got no answer and none was resolved.
OFFLINE_AFTER = 20
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Azure's control server (WireServer), whose address is not in a private range.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})


def is_public(address: str) -> bool:
    """Return whether an address belongs to the public internet.

    Parameters
    ----------
    address : str
        IPv4 or IPv6. IPv4 addresses that are embedded in it (mapped, 6to4, Teredo, NAT64) have to
        be public as well.

    Examples
    --------
    >>> [is_public(a) for a in ("1.1.1.1", "127.0.0.1", "::ffff:10.0.0.1", "169.254.169.254")]
    [True, False, False, False]
    """
    try:
        outer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_global(part) for part in (outer, *_embedded(outer)))


def _is_global(address: Address) -> bool:
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    return (
        (address.is_global or mapped)
        and not address.is_multicast
        and not address.is_unspecified
        and not address.is_loopback
        and not address.is_link_local
        and not getattr(address, "is_site_local", False)
        and (mapped or not address.is_reserved or address in _NAT64)
        and address not in _METADATA
    )


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an address contains."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [part for part in embedded if part is not None]


def check_host(link: Link, rules: HostRules) -> None:
    """Check that a link's host may be asked.

    Reserved names are not looked up, so that their links fail at once, in the same way with and
    without a network.

    Parameters
    ----------
    link : Link
        The link.
    rules : HostRules
        The rules.

    Raises
    ------
    FetchError
        `HOST_NOT_ALLOWED`, or `HOST_NOT_FOUND` for a reserved name.
    """
    host = link.host
    if host in rules.allow_private_hosts:
        return
    if rules.allow_hosts and host not in rules.allow_hosts:
        raise FetchError(HOST_NOT_ALLOWED, Retry.NEXT_RUN)
    if host.rpartition(".")[2] in RESERVED:
        raise FetchError(HOST_NOT_FOUND, Retry.NEXT_RUN)


def check_address(link: Link, rules: HostRules) -> None:
    """Check the host of a link that a proxy looks up, as far as it is an address and no name.

    Raises
    ------
    FetchError
        `ADDRESS_NOT_ALLOWED`.
    """
    try:
        # inet_aton reads what getaddrinfo does, such as 127.1 and 0x7f000001.
        address = link.host if ":" in link.host else socket.inet_ntoa(socket.inet_aton(link.host))
    except OSError:
        return
    if link.host not in rules.allow_private_hosts and not is_public(address):
        raise FetchError(ADDRESS_NOT_ALLOWED, Retry.NEXT_RUN)


@dataclass(frozen=True, slots=True)
class _Answer:
    addresses: list[str]
    expires: float


class Resolver:
    """Resolves host names to checked addresses, and connects to them.

    There is at most one lookup of a name at a time.

    A lookup that hangs is abandoned: the caller waits no longer than `seconds`, while its thread
    remains until the system gives up.

    Parameters
    ----------
    private : collection of str
        Hosts whose addresses are not checked.
    seconds : float
        Time limit of a lookup, and of a connection, including all addresses of its host.
    """

    def __init__(self, private: Collection[str], seconds: float) -> None:
        self._private = frozenset(private)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: dict[str, Future[list[str]]] = {}
        self._answers: dict[str, _Answer] = {}
        self._unanswered: set[str] = set()
        self._resolved_any = False

    def resolve(self, host: str) -> list[str]:
        """Return the checked addresses of a host.

        Raises
        ------
        FetchError
            `HOST_NOT_FOUND`, or `ADDRESS_NOT_ALLOWED` if any address is not public: a name with
            both public and private addresses is an attack.
        """
        answer = self._answers.get(host)
        if answer is None or answer.expires < time.monotonic():
            answer = self._look_up(host, answer)
        if host not in self._private and not all(map(is_public, answer.addresses)):
            raise FetchError(ADDRESS_NOT_ALLOWED, Retry.NEXT_RUN)
        return answer.addresses[:MAX_ADDRESSES]

    def connect(self, host: str, port: int) -> socket.socket:
        """Open a TCP connection to a checked address of a host, within the time limit.

        Raises
        ------
        FetchError
            `NO_CONNECTION`, `TIMEOUT` or anything that `resolve` raises.
        """
        deadline = time.monotonic() + self._seconds
        reason = NO_CONNECTION
        for address in self.resolve(host):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            try:
                # The address is numeric, so that the name is not looked up a second time.
                sock = socket.create_connection((address, port), timeout=remaining)
            except OSError as error:
                reason = TIMEOUT if isinstance(error, TimeoutError) else NO_CONNECTION
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._prefer(host, address)
            return sock
        raise FetchError(reason, Retry.NOW)

    def _prefer(self, host: str, address: str) -> None:
        """Move an address that has answered to the front, so that it is tried first next time."""
        with self._lock:
            answer = self._answers.get(host)
            if answer is not None and answer.addresses[0] != address:
                rest = [other for other in answer.addresses if other != address]
                self._answers[host] = _Answer([address, *rest], answer.expires)

    def _look_up(self, host: str, stale: _Answer | None) -> _Answer:
        """Ask the name server; if that fails, return the stale answer, if there is one."""
        try:
            addresses = self._start_lookup(host).result(timeout=self._seconds)
        except (OSError, FutureTimeoutError) as error:
            # Other errors of getaddrinfo are answers, such as that the name does not exist.
            if not isinstance(error, socket.gaierror) or error.errno == socket.EAI_AGAIN:
                with self._lock:
                    self._unanswered.add(host)
            if stale is not None:
                return stale
            raise FetchError(HOST_NOT_FOUND, Retry.NEXT_RUN) from None
        answer = _Answer(addresses, time.monotonic() + KEEP_SECONDS)
        with self._lock:
            self._resolved_any = True
            self._answers[host] = answer
        return answer

    def _start_lookup(self, host: str) -> Future[list[str]]:
        with self._lock:
            if len(self._unanswered) >= OFFLINE_AFTER and not self._resolved_any:
                raise FetchError(HOST_NOT_FOUND, Retry.NEXT_RUN)
            future = self._running.get(host)
            if future is None:
                future = self._running[host] = Future()
                threading.Thread(
                    target=self._run_lookup, args=(host, future), name="lookup", daemon=True
                ).start()
            return future

    def _run_lookup(self, host: str, future: Future[list[str]]) -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            future.set_result(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except (OSError, UnicodeError) as error:
            failure = error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME)
            future.set_exception(failure)
        finally:
            with self._lock:
                self._running.pop(host, None)
