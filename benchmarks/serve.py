"""Load the service on loopback and print what it takes: latency, throughput, memory.

`python benchmarks/serve.py --bundle data/bundle --products data/synthetic/test.csv` starts
`python -m amlc.serve` in a process of its own. The client runs on the same machine, and its part of
the processor is missing to the server. With `--soak MINUTES` it also holds 80 % of the top load.
"""

import argparse
import csv
import http.client
import io
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from loopback import product

PRICE, PRICES = "/v1/price", "/v1/prices"
BOUNDARY = "amlc-benchmark"
WARM_UP = 20
SOAK_SHARE = 0.8


@dataclass
class Server:
    """A running service."""

    process: subprocess.Popen[str]
    host: str
    port: int
    seconds_to_ready: float

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that is kept."""
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def megabytes(self) -> float:
        """Return its resident memory, less what its workers take."""
        return _kilobytes(Path(f"/proc/{self.process.pid}/status"), "VmRSS") / 1e3

    def megabytes_in_all(self) -> float:
        """Return its memory and that of its workers, what they share counted once."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = " ".join(task.read_text() for task in tasks).split()
        rollups = [Path(f"/proc/{pid}/smaps_rollup") for pid in (self.process.pid, *children)]
        return sum(_kilobytes(path, "Pss") for path in rollups) / 1e3


@dataclass
class Tally:
    """What some requests took."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0

    def at(self, percent: float) -> float:
        """Return a percentile of the latency, in milliseconds."""
        return float(np.percentile(self.seconds, percent)) * 1e3


def _kilobytes(path: Path, name: str) -> int:
    lines = path.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


@contextmanager
def serving(bundle: Path) -> Iterator[Server]:
    """Start the service; give it once it is ready."""
    command = [sys.executable, "-m", "amlc.serve", "--bundle", str(bundle), "--port", "0"]
    begun = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the service did not start; run python -m amlc.serve to see why")
            address = urlsplit(line.split()[-1])
            server = Server(process, str(address.hostname), int(address.port or 0), 0.0)
            connection = server.connect()
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
            server.seconds_to_ready = time.perf_counter() - begun
            yield server
        finally:
            process.terminate()


class Products:
    """Bodies of requests: the products of a CSV, each with the same picture."""

    def __init__(self, path: Path, picture: bytes) -> None:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            self.texts = [row["catalog_content"] for row in csv.DictReader(stream)]
        self._picture = picture
        self._next = itertools.cycle(self.texts)
        self._lock = threading.Lock()

    def form(self) -> bytes:
        """Return the next product as a form with its picture."""
        with self._lock:
            text = next(self._next)
        head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
        start = f'{head}"text"\r\n\r\n{text}\r\n{head}"image"; filename="a.jpg"\r\n\r\n'
        return start.encode() + self._picture + f"\r\n--{BOUNDARY}--\r\n".encode()

    def table(self, rows: int) -> bytes:
        """Return so many products as a CSV."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["sample_id", "catalog_content"])
        writer.writerows(enumerate(itertools.islice(itertools.cycle(self.texts), rows)))
        return text.getvalue().encode()


def ask(connection: http.client.HTTPConnection, body: bytes, tally: Tally) -> None:
    """Price one product."""
    begun = time.perf_counter()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    try:
        connection.request("POST", PRICE, body, {"Content-Type": kind})
        answer = connection.getresponse()
        good = answer.status == 200 and json.loads(answer.read())["price"] > 0
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()
        good = False
    tally.seconds.append(time.perf_counter() - begun)
    tally.errors += not good


def one_client(server: Server, products: Products, count: int) -> Tally:
    """Ask one product after the other."""
    connection, tally = server.connect(), Tally()
    for _ in range(WARM_UP):
        ask(connection, products.form(), Tally())
    for _ in range(count):
        ask(connection, products.form(), tally)
    return tally


def load(
    server: Server, products: Products, clients: int, seconds: float, rate: float = 0.0
) -> tuple[float, Tally]:
    """Ask with several clients; return requests a second, and what they took.

    Parameters
    ----------
    rate : float
        Requests a second of all clients together; 0: as many as they can.
    """
    tallies = [Tally() for _ in range(clients)]
    begun = time.perf_counter()
    until = begun + seconds

    def client(number: int) -> None:
        connection = server.connect()
        for turn in itertools.count():
            due = begun + (turn * clients + number) / rate if rate else 0.0
            time.sleep(max(0.0, due - time.perf_counter()))
            if time.perf_counter() >= until:
                return
            ask(connection, products.form(), tallies[number])

    _in_threads(client, clients)
    took = time.perf_counter() - begun
    whole = Tally(
        [second for tally in tallies for second in tally.seconds],
        sum(tally.errors for tally in tallies),
    )
    return len(whole.seconds) / took, whole


def _in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def batch(server: Server, products: Products, rows: int) -> float:
    """Price a CSV; return products a second."""
    body = products.table(rows)
    connection = server.connect()
    begun = time.perf_counter()
    connection.request("POST", PRICES, body, {"Content-Type": "text/csv"})
    answer = connection.getresponse()
    lines = answer.read().count(b"\n")
    if lines != rows + 1:
        raise SystemExit(f"{lines - 1} of {rows} rows came back (status {answer.status})")
    return rows / (time.perf_counter() - begun)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("data/bundle"))
    parser.add_argument("--products", type=Path, default=Path("data/synthetic/test.csv"))
    parser.add_argument("--picture", type=Path, help="a picture; else one is drawn")
    parser.add_argument("--requests", type=int, default=300, help="of one client")
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 2, 4, 8, 16])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each number of clients")
    parser.add_argument("--rows", type=int, default=20_000, help="of the CSV")
    parser.add_argument("--soak", type=float, default=0.0, help="minutes at 80 %% of the top load")
    options = parser.parse_args()
    picture = options.picture.read_bytes() if options.picture else product(1)
    products = Products(options.products, picture)
    with serving(options.bundle) as server:
        measure(server, products, options)


def measure(server: Server, products: Products, options: argparse.Namespace) -> None:
    """Measure one thing after the other, and print each."""
    show("start to ready", f"{server.seconds_to_ready:.1f} s")
    show("memory when ready", f"{server.megabytes():.0f} MB")
    alone = one_client(server, products, options.requests)
    show(
        "one client, p50 / p99",
        f"{alone.at(50):.1f} / {alone.at(99):.1f} ms, {alone.errors} errors",
    )
    best, clients = 0.0, 1
    for count in options.clients:
        rate, tally = load(server, products, count, options.seconds)
        told = f"{rate:.0f} prices/s, p99 {tally.at(99):.0f} ms, {tally.errors} errors"
        show(f"{count} clients", told)
        best, clients = max((best, clients), (rate, count))
    show("memory after that", f"{server.megabytes():.0f} MB")
    show("first CSV, text only", f"{batch(server, products, options.rows):.0f} products/s")
    rates = [batch(server, products, options.rows) for _ in range(3)]
    show("next three CSVs", ", ".join(f"{rate:.0f}" for rate in rates) + " products/s")
    told = f"{server.megabytes():.0f} MB, with the workers {server.megabytes_in_all():.0f} MB"
    show("memory after that", told)
    if options.soak:
        soak(server, products, clients, best * SOAK_SHARE, options.soak)


def soak(server: Server, products: Products, clients: int, rate: float, minutes: float) -> None:
    """Hold a load; print errors and memory for each tenth of the time."""
    errors, part = 0, minutes * 60 / 10
    for tenth in range(1, 11):
        reached, tally = load(server, products, clients, part, rate)
        errors += tally.errors
        told = f"{reached:.0f} prices/s, p99 {tally.at(99):.0f} ms, {errors} errors"
        show(f"soak {tenth * part:.0f} s", f"{told}, {server.megabytes():.0f} MB")


def show(what: str, found: str) -> None:
    """Print a row of the table."""
    print(f"| {what} | {found} |", flush=True)


if __name__ == "__main__":
    main()
