"""A web server on the loopback address that serves pictures, and every fault there is."""

import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from types import TracebackType
from typing import Self

import trustme


@dataclass
class Talk:
    """One request under way: what was asked, and the line to answer on."""

    sock: socket.socket
    headers: Message
    # How often this path was asked for, this time included.
    number: int
    ended: threading.Event

    def raw(self, data: bytes) -> None:
        """Send some bytes as they are."""
        self.sock.sendall(data)

    def send(self, body: bytes = b"", status: str = "200 OK", **headers: str) -> None:
        """Send a whole answer; an underscore in a header's name stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = {"Content-Length": str(len(body)), **named}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.raw(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    def stall(self) -> None:
        """Say nothing until the server ends."""
        self.ended.wait(60)

    def trickle(self, data: bytes, seconds: float) -> None:
        """Send a byte every now and then, until the server ends."""
        for byte in data:
            self.raw(bytes([byte]))
            if self.ended.wait(seconds):
                return

    def reset(self) -> None:
        """Break the connection off with a reset."""
        line = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, line)


# An answer returns True to keep the connection.
Page = Callable[[Talk], bool]


def page(body: bytes, status: str = "200 OK", **headers: str) -> Page:
    """Return a page that always gives the same whole answer."""

    def answer(talk: Talk) -> bool:
        talk.send(body, status, **headers)
        return True

    return answer


@dataclass
class Site:
    """The server; use it as a context."""

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
        self._lines: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            _shut(line)

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
                line, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._lines.add(line)
                self.connections += 1
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        try:
            sock = self.context.wrap_socket(line, server_side=True) if self.context else line
            with sock, sock.makefile("rb") as stream:
                while self._answer(sock, stream.readline(), stream):
                    pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._lines.discard(line)
            line.close()

    def _answer(self, sock: socket.socket, first: bytes, stream: object) -> bool:
        if not first:
            return False
        if not first.endswith(b" HTTP/1.1\r\n"):
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        path = first.split()[1].decode()
        headers = BytesParser().parsebytes(b"".join(iter(stream.readline, b"\r\n")))  # type: ignore[attr-defined] # sockets' files have it
        with self._lock:
            self.hits[path] += 1
            self.seen.append(headers)
            talk = Talk(sock, headers, self.hits[path], self._ended)
        return self.pages.get(path, self.other)(talk)


def tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return a server's TLS context, with a certificate for some names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def _shut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
