"""A web server on the loopback address, for answers of all kinds, including failures."""

import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import IO, Self

import trustme


@dataclass
class Exchange:
    """One request, and the connection to answer on."""

    sock: socket.socket
    path: str
    headers: Message
    # Requests for this path so far, including this one.
    number: int
    ended: threading.Event

    def send_raw(self, data: bytes) -> None:
        """Send bytes unchanged."""
        self.sock.sendall(data)

    def send(self, body: bytes = b"", status: str = "200 OK", **headers: str) -> None:
        """Send a whole answer; an underscore in the name of a header means a hyphen."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = {"Content-Length": str(len(body)), **fields}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.send_raw(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    def stall(self) -> None:
        """Send nothing until the server ends."""
        self.ended.wait(60)

    def trickle(self, data: bytes, seconds: float) -> None:
        """Send one byte after another at an interval of `seconds`, until the server ends."""
        for byte in data:
            self.send_raw(bytes([byte]))
            if self.ended.wait(seconds):
                return

    def reset(self) -> None:
        """Make the connection end with a reset."""
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


# A page answers a request, and returns True to keep the connection.
Page = Callable[[Exchange], bool]


def page(body: bytes, status: str = "200 OK", **headers: str) -> Page:
    """Return a page that always gives the same whole answer."""

    def answer(exchange: Exchange) -> bool:
        exchange.send(body, status, **headers)
        return True

    return answer


@dataclass
class Site:
    """The server; use it as a context manager."""

    pages: dict[str, Page] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    # Answers every path that `pages` does not name.
    other: Page = field(default_factory=lambda: page(b"", "404 Not Found"))

    def __post_init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.seen: list[Message] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _shut(connection)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the link of a path."""
        return f"{'https' if self.context else 'http'}://{host}:{self.port}{path}"

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            sock = self._wrap(connection)
            with sock, sock.makefile("rb") as stream:
                while self._answer(sock, stream.readline(), stream):
                    pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _wrap(self, connection: socket.socket) -> socket.socket:
        if self.context is None:
            return connection
        return self.context.wrap_socket(connection, server_side=True)

    def _answer(self, sock: socket.socket, first: bytes, stream: IO[bytes]) -> bool:
        if not first:
            return False
        # Proxies are asked for tunnels in the older version.
        if not first.endswith((b" HTTP/1.1\r\n", b" HTTP/1.0\r\n")):
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        path = first.split()[1].decode()
        headers = BytesParser().parsebytes(b"".join(iter(stream.readline, b"\r\n")))
        with self._lock:
            self.hits[path] += 1
            self.seen.append(headers)
            exchange = Exchange(sock, path, headers, self.hits[path], self._ended)
        return self.pages.get(path, self.other)(exchange)


def tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return a server's TLS context with a certificate for `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that refuses connections, and that no other program gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
