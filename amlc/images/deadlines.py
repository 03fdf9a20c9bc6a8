"""Deadlines of requests: a thread shuts down the connections that take too long."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator

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
        self._current = threading.local()
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
        self._current.watch = watch
        try:
            yield watch
        finally:
            watch.close()
            with self._lock:
                self._open.discard(watch)

    def attach(self, sock: socket.socket) -> None:
        """Attach a connection to the watch that the calling thread has opened last."""
        self._current.watch.attach(sock)

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
