"""Deadlines that hold whatever a server does.

A socket's time-out starts anew with every byte, so that a server that sends a byte a second holds
its client for ever. Here one thread shuts the sockets whose time is up; whoever waits on such a
socket, in the handshake, the headers or the body, wakes with an error.
"""

import contextlib
import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator


class Watch:
    """One deadline; `expired` says whether it passed before the watch was closed."""

    def __init__(self) -> None:
        self.expired = False
        self.closed = False
        self._socket: socket.socket | None = None
        self._kept = False
        self._lock = threading.Lock()

    def attach(self, sock: socket.socket) -> None:
        """Say which socket to shut; it takes the place of the one before."""
        with self._lock:
            self._socket = sock
            if self.expired:
                _shut(sock)

    def keep(self, sock: socket.socket) -> bool:
        """Take over a socket that is to be closed, where it is this watch's; it closes it later.

        http.client closes a connection before it reads the body of its last answer; the body is
        still to be cut off when the time is up.
        """
        with self._lock:
            self._kept = sock is self._socket
            return self._kept

    def expire(self) -> None:
        """Shut the socket now, unless the watch was closed."""
        with self._lock:
            if self.closed:
                return
            self.expired = True
            if self._socket is not None:
                _shut(self._socket)

    def close(self) -> None:
        """End the watch; its socket may serve others from now on."""
        with self._lock:
            self.closed = True
            if self._kept and self._socket is not None:
                self._socket.close()
            self._socket = None


class Watchdog:
    """The thread that waits for deadlines."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def watch(self, seconds: float) -> Iterator[Watch]:
        """Give a watch that expires after some seconds, unless the block ends before."""
        watch = Watch()
        with self._changed:
            while self._heap and self._heap[0][2].closed:
                heapq.heappop(self._heap)
            entry = (time.monotonic() + seconds, next(self._order), watch)
            heapq.heappush(self._heap, entry)
            # The thread sleeps until the first deadline: only a new first one concerns it.
            if self._heap[0] is entry:
                self._changed.notify()
            if self._ended:
                watch.expire()
        try:
            yield watch
        finally:
            watch.close()

    def close(self) -> None:
        """Expire every open watch, and end."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._ended:
                left = self._heap[0][0] - time.monotonic() if self._heap else None
                if left is None or left > 0:
                    self._changed.wait(left)
                else:
                    heapq.heappop(self._heap)[2].expire()
            for _, _, watch in self._heap:
                watch.expire()


def _shut(sock: socket.socket) -> None:
    # It may have been closed by the other side, or by its owner, a moment ago.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
