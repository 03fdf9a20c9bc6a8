"""A loopback web server in a process of its own, for benchmarks/download.py.

`python benchmarks/loopback.py FOLDER` writes FOLDER/ca.pem, the default CA bundle with the
server's own CA added, and prints the port.
"""

import argparse
import io
import itertools
import json
import socket
import ssl
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import checkout  # noqa: F401 - makes amlc importable
import numpy as np
from PIL import Image, UnidentifiedImageError

try:
    import trustme
    from requests.utils import DEFAULT_CA_BUNDLE_PATH
except ModuleNotFoundError as error:
    raise SystemExit(
        f"error: {error.name} is not installed: make test installs the development tools"
    ) from None

from amlc.errors import DataError, run

FAULTS = ("404", "stall", "reset", "truncated")
# Among 20 consecutive links, each kind of fault occurs once.
FAULT_EVERY = 20
STALL_SECONDS = 30.0
PICTURES = 40
# Pictures of the size of a product's, in bytes and in pixels of the longest side.
BYTES = (40_000, 250_000)
PIXELS = (1000, 1500)


def product(seed: int) -> bytes:
    """Return a product-like JPEG: a few shapes and a noisy label on white, 40-250 KB."""
    rng = np.random.default_rng(seed)
    width, height = (int(side) for side in rng.integers(1000, 1501, 2))
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    for _ in range(12):
        top, left = int(rng.integers(0, height * 3 // 4)), int(rng.integers(0, width * 3 // 4))
        tall, wide = int(rng.integers(50, height // 2)), int(rng.integers(50, width // 2))
        patch = pixels[top : top + tall, left : left + wide]
        grain = rng.integers(-18, 19, patch.shape)
        patch[:] = np.clip(rng.integers(0, 256, 3) + grain, 0, 255)
    image = Image.fromarray(pixels).resize((width, height), box=(0, 0, width * 0.8, height * 0.8))
    return _jpeg_between(image, *BYTES)


def _jpeg_between(image: Image.Image, low: int, high: int) -> bytes:
    data = b""
    for quality in (80, 70, 60, 50, 40, 90, 95):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        data = stream.getvalue()
        if low <= len(data) <= high:
            break
    return data


def real(folder: Path) -> list[bytes]:
    """Return the product-size pictures of a folder; other files in it are left out.

    Raises
    ------
    DataError
        There is none.
    """
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes() if path.is_file() else b""
        if BYTES[0] <= len(data) <= BYTES[1] and PIXELS[0] <= _longest_side(data) <= PIXELS[1]:
            found.append(data)
    if not found:
        raise DataError(
            f"{folder}: expected pictures of {BYTES[0]:,} to {BYTES[1]:,} bytes, the longest side "
            f"{PIXELS[0]:,} to {PIXELS[1]:,} pixels; it has none"
        )
    return found


def _longest_side(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return max(image.size)
    except UnidentifiedImageError:
        return 0


def small(seed: int) -> bytes:
    """Return a JPEG of about 3 KB, for runs over many links."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC).save(stream, "JPEG")
    return stream.getvalue()


def rendition(data: bytes) -> bytes:
    """Return the rendition for `._SL512_`: the same picture, 512 pixels on its longest side."""
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((512, 512))
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


class Server:
    """Serves /KIND/NUMBER.jpg: kind `good`, `small` or `faults`; and /stats."""

    def __init__(
        self, context: ssl.SSLContext | None, latency: float, originals: Path | None
    ) -> None:
        self.context = context
        self.latency = latency
        pictures = real(originals) if originals else []
        with ThreadPoolExecutor(2) as pool:
            self.pictures = pictures or list(pool.map(product, range(PICTURES)))
        self.smalls = [small(seed) for seed in range(PICTURES)]
        self.renditions = [rendition(data) for data in self.pictures]
        self.sent = 0
        self.requests = 0
        self.connections = 0
        self.lock = threading.Lock()

    def run(self, listener: socket.socket) -> None:
        """Serve forever."""
        for number in itertools.count(1):
            connection, _ = listener.accept()
            self.connections = number
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        """Answer the requests of one connection."""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self.wrap(connection)
            with sock:
                received = b""
                while True:
                    while b"\r\n\r\n" not in received:
                        data = sock.recv(65_536)
                        if not data:
                            return
                        received += data
                    head, _, received = received.partition(b"\r\n\r\n")
                    if not self.answer(sock, head.split(b" ", 2)[1].decode()):
                        return
        except OSError:
            return

    def wrap(self, connection: socket.socket) -> socket.socket:
        """Start TLS on a connection, unless the server speaks plain HTTP."""
        if self.context is None:
            return connection
        return self.context.wrap_socket(connection, server_side=True)

    def answer(self, sock: socket.socket, path: str) -> bool:
        """Answer one request; return whether the connection stays open."""
        if path == "/stats":
            names = ("sent", "requests", "connections")
            self.send(sock, json.dumps({name: getattr(self, name) for name in names}).encode())
            return True
        time.sleep(self.latency)
        kind, number, is_rendition = self.parse(path)
        fault = number % FAULT_EVERY
        if kind == "faults" and fault < len(FAULTS):
            return self.fail(sock, FAULTS[fault], self.pictures[number % len(self.pictures)])
        files = {"small": self.smalls}.get(kind, self.renditions if is_rendition else self.pictures)
        self.send(sock, files[number % len(files)])
        return True

    @staticmethod
    def parse(path: str) -> tuple[str, int, bool]:
        """Parse /KIND/NUMBER.jpg; the last item says whether a rendition is asked for."""
        _, kind, name = path.split("/")
        return kind, int(name.split(".")[0]), "._SL" in name

    def fail(self, sock: socket.socket, fault: str, body: bytes) -> bool:
        """Answer a request with one kind of fault."""
        if fault == "404":
            self.send(sock, b"", "404 Not Found")
            return True
        if fault == "stall":
            time.sleep(STALL_SECONDS)
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if fault == "truncated":
            self.send(sock, body[: len(body) * 2 // 3], length=len(body))
        return False

    def send(
        self, sock: socket.socket, body: bytes, status: str = "200 OK", length: int | None = None
    ) -> None:
        """Send one answer."""
        size = len(body) if length is None else length
        kind = "Content-Type: image/jpeg\r\n" if body else ""
        head = f"HTTP/1.1 {status}\r\n{kind}Content-Length: {size}\r\n\r\n"
        sock.sendall(head.encode() + body)
        with self.lock:
            self.sent += len(body)
            self.requests += 1


def main() -> None:
    """Start the server; it ends when its standard input does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--originals", type=Path)
    parser.add_argument("--plain", action="store_true", help="HTTP, not HTTPS")
    arguments = parser.parse_args()
    context = None
    if not arguments.plain:
        authority = trustme.CA()
        # A bundle of realistic length: most of the cost of a new TLS context is reading it.
        default = Path(DEFAULT_CA_BUNDLE_PATH).read_bytes()
        (arguments.folder / "ca.pem").write_bytes(default + b"\n" + authority.cert_pem.bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Server(context, arguments.latency, arguments.originals)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    threading.Thread(target=partial(server.run, listener), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    # The pipe closes when the parent ends, even if it is killed.
    sys.stdin.read()


if __name__ == "__main__":
    run(main)
