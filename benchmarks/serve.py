"""Measure the service on loopback: latency, throughput and memory.

`python benchmarks/serve.py --bundle data/bundle --products data/synthetic/test.csv` starts
`python -m amlc serve` in a process of its own. The client runs on the same machine and takes its
share of the processor from the server. With `--soak MINUTES` it also holds 80 % of the top load.
Each measurement is shown on stderr as it is made; the table at the end sums them up.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import checkout  # noqa: F401 - makes amlc importable
import numpy as np
from loopback import product

from amlc.errors import DataError, run

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
        """Return a connection for several requests."""
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def megabytes(self) -> float:
        """Return its resident memory, without that of its workers."""
        return _kilobytes(Path(f"/proc/{self.process.pid}/status"), "VmRSS") / 1e3

    def megabytes_with_workers(self) -> float:
        """Return its memory and that of its workers, with what they share counted once."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = " ".join(task.read_text() for task in tasks).split()
        rollups = [Path(f"/proc/{pid}/smaps_rollup") for pid in (self.process.pid, *children)]
        return sum(_kilobytes(path, "Pss") for path in rollups) / 1e3


@dataclass
class Latencies:
    """How long requests took, and how many failed."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0

    def percentile(self, percent: float) -> float:
        """Return a percentile of the latency, in milliseconds."""
        return float(np.percentile(self.seconds, percent)) * 1e3


def _kilobytes(path: Path, name: str) -> int:
    lines = path.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


@contextmanager
def serving(bundle: Path) -> Iterator[Server]:
    """Start the service; yield it once it is ready."""
    command = [sys.executable, "-m", "amlc", "serve", "--bundle", str(bundle), "--port", "0"]
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the service did not start; run python -m amlc serve to see why")
            address = urlsplit(line.split()[-1])
            server = Server(process, str(address.hostname), int(address.port or 0), 0.0)
            connection = server.connect()
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
            server.seconds_to_ready = time.perf_counter() - started
            yield server
        finally:
            process.terminate()


class Products:
    """Bodies of requests: the products of a CSV, each with the same picture."""

    def __init__(self, path: Path, picture: bytes) -> None:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            if "catalog_content" not in (rows.fieldnames or ()):
                raise DataError(f"{path}: expected a CSV with the column catalog_content")
            self.texts = [row["catalog_content"] for row in rows]
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
        """Return a CSV with a number of products."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["sample_id", "catalog_content"])
        writer.writerows(enumerate(itertools.islice(itertools.cycle(self.texts), rows)))
        return text.getvalue().encode()


def price_one(connection: http.client.HTTPConnection, body: bytes, latencies: Latencies) -> None:
    """Price one product."""
    started = time.perf_counter()
    media_type = f"multipart/form-data; boundary={BOUNDARY}"
    try:
        connection.request("POST", PRICE, body, {"Content-Type": media_type})
        answer = connection.getresponse()
        good = answer.status == 200 and json.loads(answer.read())["price"] > 0
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()
        good = False
    latencies.seconds.append(time.perf_counter() - started)
    latencies.errors += not good


def one_client(server: Server, products: Products, count: int) -> Latencies:
    """Price one product after the other."""
    connection, latencies = server.connect(), Latencies()
    for _ in range(WARM_UP):
        price_one(connection, products.form(), Latencies())
    for _ in range(count):
        price_one(connection, products.form(), latencies)
    return latencies


def load(
    server: Server, products: Products, clients: int, seconds: float, rate: float = 0.0
) -> tuple[float, Latencies]:
    """Price with several clients; return requests a second, and the latencies.

    Parameters
    ----------
    rate : float
        Requests a second of all clients together; 0: as many as possible.
    """
    clients_latencies = [Latencies() for _ in range(clients)]
    started = time.perf_counter()
    end = started + seconds

    def client(number: int) -> None:
        connection = server.connect()
        for turn in itertools.count():
            due = started + (turn * clients + number) / rate if rate else 0.0
            time.sleep(max(0.0, due - time.perf_counter()))
            if time.perf_counter() >= end:
                return
            price_one(connection, products.form(), clients_latencies[number])

    _in_threads(client, clients)
    duration = time.perf_counter() - started
    total = _together(clients_latencies)
    return len(total.seconds) / duration, total


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
    started = time.perf_counter()
    connection.request("POST", PRICES, body, {"Content-Type": "text/csv"})
    answer = connection.getresponse()
    lines = answer.read().count(b"\n")
    if lines != rows + 1:
        raise SystemExit(f"{lines - 1} of {rows} rows came back (status {answer.status})")
    return rows / (time.perf_counter() - started)


def beside_csv(server: Server, products: Products, clients: int, rows: int) -> Latencies:
    """Price single products with several clients for as long as a CSV is being priced."""
    clients_latencies = [Latencies() for _ in range(clients)]
    csv_thread = threading.Thread(target=batch, args=(server, products, rows))

    def client(number: int) -> None:
        connection = server.connect()
        while csv_thread.is_alive():
            price_one(connection, products.form(), clients_latencies[number])

    csv_thread.start()
    _in_threads(client, clients)
    return _together(clients_latencies)


def _together(clients_latencies: list[Latencies]) -> Latencies:
    return Latencies(
        [second for latencies in clients_latencies for second in latencies.seconds],
        sum(latencies.errors for latencies in clients_latencies),
    )


def main() -> None:
    """Measure the service that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("data/bundle"))
    parser.add_argument("--products", type=Path, default=Path("data/synthetic/test.csv"))
    parser.add_argument("--picture", type=Path, help="a picture file; default: a drawn one")
    parser.add_argument("--requests", type=int, default=300, help="requests of one client")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--seconds", type=float, default=10.0, help="time per number of clients")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the CSV")
    parser.add_argument(
        "--beside", type=int, metavar="CLIENTS", help="only measure these beside two CSVs"
    )
    parser.add_argument("--soak", type=float, default=0.0, help="minutes at 80 %% of the top load")
    options = parser.parse_args()
    picture = options.picture.read_bytes() if options.picture else product(1)
    products = Products(options.products, picture)
    with serving(options.bundle) as server:
        measure(server, products, options)


@dataclass(frozen=True)
class Load:
    """What a number of clients reached: prices a second, and how long each took."""

    clients: int
    rate: float
    latencies: Latencies


def measure(server: Server, products: Products, options: argparse.Namespace) -> None:
    """Print each measurement, and the table."""
    log("start to ready", f"{server.seconds_to_ready:.1f} s")
    if options.beside:
        beside(server, products, options.beside, options.rows)
        return
    at_start = server.megabytes()
    log("memory when ready", f"{at_start:.0f} MB")
    single = one_client(server, products, options.requests)
    log("one client", shown(single))
    loads = []
    for count in options.clients:
        rate, latencies = load(server, products, count, options.seconds)
        loads.append(Load(count, rate, latencies))
        log(f"{count} clients", f"{rate:.0f} prices/s, {shown(latencies)}")
    loaded = server.megabytes()
    log("memory after that", f"{loaded:.0f} MB")
    rates = [batch(server, products, options.rows) for _ in range(4)]
    log("four CSVs, text only", ", ".join(f"{rate:.0f}" for rate in rates) + " products/s")
    with_workers = server.megabytes_with_workers()
    log("memory with the workers", f"{with_workers:.0f} MB")
    best = max(loads, key=lambda each: each.rate)
    rows = {
        "one client, p50 / p99": f"{single.percentile(50):.1f} / {single.percentile(99):.1f} ms"
        + failed(single.errors),
        f"{best.clients} clients": f"{best.rate:.0f} prices/s, "
        f"p99 {best.latencies.percentile(99):.0f} ms{failed(best.latencies.errors)}",
        "the first CSV, text only / the next three": f"{rates[0]:,.0f} / {min(rates[1:]):,.0f} to "
        f"{max(rates[1:]):,.0f} products/s",
        "start to ready": f"{server.seconds_to_ready:.1f} s",
        "memory when ready / after the load / with the workers": f"{at_start:.0f} / {loaded:.0f} / "
        f"{with_workers:.0f} MB",
    }
    if options.soak:
        held = soak(server, products, best, options.soak)
        rows[f"{options.soak:g} minutes at {SOAK_SHARE:.0%} of the top load"] = held
    print(table(rows))


def table(rows: Mapping[str, str]) -> str:
    """Return a Markdown table of measurements, without names of columns."""
    lines = ["## The service under load\n", "|  |  |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {values} |" for name, values in rows.items())])


def beside(server: Server, products: Products, clients: int, rows: int) -> None:
    """Print how long single prices take while a CSV is being priced, twice."""
    for start in ("first", "second"):
        latencies = beside_csv(server, products, clients, rows)
        log(f"beside the {start} CSV", f"{len(latencies.seconds)} prices, {shown(latencies)}")


def soak(server: Server, products: Products, top: Load, minutes: float) -> str:
    """Hold a share of the top load; print each tenth of the time, and return what all gave."""
    memory, rates, errors, part = [], [], 0, minutes * 60 / 10
    for tenth in range(1, 11):
        rate, latencies = load(server, products, top.clients, part, top.rate * SOAK_SHARE)
        errors += latencies.errors
        rates.append(rate)
        memory.append(server.megabytes())
        values = f"{rate:.0f} prices/s, {shown(latencies)}, {memory[-1]:.0f} MB"
        log(f"soak {tenth * part:.0f} s", values)
    held = f"{sum(rates) / len(rates):.0f} prices/s{failed(errors) or ', no error'}"
    return f"{held}, {min(memory):.0f} to {max(memory):.0f} MB"


def shown(latencies: Latencies) -> str:
    """Return the percentiles of latencies, and how many requests failed."""
    p50, p99 = latencies.percentile(50), latencies.percentile(99)
    return f"p50 / p99 {p50:.1f} / {p99:.1f} ms, {latencies.errors} errors"


def failed(errors: int) -> str:
    """Return the number of errors for the end of a cell; empty where there was none."""
    return f", {errors} errors" if errors else ""


def log(name: str, values: str) -> None:
    """Print a measurement."""
    print(f"{name}: {values}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
