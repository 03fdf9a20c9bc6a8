"""Compare image downloaders on a loopback server.

Prints three tables: speed, behaviour under faults, and growth with the number of links.
img2dataset needs an environment of its own: `--img2dataset PATH/TO/ITS/python`.
"""

import argparse
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import checkout  # noqa: F401 - makes amlc importable
import loopback  # noqa: F401 - says so where the development tools are missing

from amlc.errors import CheckError, run

HERE = Path(__file__).parent
SIZE, WORKERS, TIMEOUT = 256, 60, 5.0
# The others are compared with it.
OURS = "amlc"
DOWNLOADERS = ("requests_get", "organisers", "img2dataset", OURS)
TABLES = ("speed", "faults", "growth")


@dataclass
class Server:
    """A running server."""

    port: int
    ca: Path
    plain: bool = False

    def links(self, kind: str, count: int) -> list[str]:
        """Return `count` different links."""
        scheme = "http" if self.plain else "https"
        return [f"{scheme}://127.0.0.1:{self.port}/{kind}/{n:06d}.jpg" for n in range(count)]

    def stats(self) -> dict[str, int]:
        """Return the server's counters."""
        context = None if self.plain else ssl.create_default_context(cafile=str(self.ca))
        link = self.links("x", 1)[0].rsplit("/", 2)[0] + "/stats"
        with urllib.request.urlopen(link, context=context) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts


@dataclass
class Result:
    """The cost of one run."""

    links: int
    ok: int
    seconds: float
    cpu: float
    megabytes: float
    memory: float

    @property
    def rate(self) -> float:
        """Good images per second."""
        return self.ok / self.seconds


@contextmanager
def serving(folder: Path, originals: Path | None, *options: str) -> Iterator[Server]:
    """Run the server in a process of its own.

    Raises
    ------
    CheckError
        It did not start, such as for originals that it cannot read.
    """
    command = [sys.executable, str(HERE / "loopback.py"), str(folder), *options]
    if originals is not None:
        command += ["--originals", str(originals)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline()
            if not port:
                raise CheckError("the server did not start; what it said is above")
            yield Server(int(port), folder / "ca.pem", "--plain" in options)
        finally:
            process.kill()


class Bench:
    """Runs downloaders against one server."""

    def __init__(self, server: Server, folder: Path, img2dataset: str | None) -> None:
        self.server = server
        self.folder = folder
        self.pythons = {"img2dataset": img2dataset}
        self.runs = 0

    def run(self, name: str, links: list[str], **overrides: object) -> Result:
        """Run one downloader over some links."""
        self.runs += 1
        out = self.folder / f"run{self.runs}"
        out.mkdir()
        job = {
            "links": links,
            "out": str(out),
            "store": str(out / "store.sqlite"),
            "ca": str(self.server.ca),
            "size": SIZE,
            "workers": WORKERS,
            "timeout": TIMEOUT,
            "tries": 1,
            **overrides,
        }
        path = out / "job.json"
        path.write_text(json.dumps(job))
        before = self.server.stats()["sent"]
        answer, memory = self._timed(name, path)
        sent = self.server.stats()["sent"] - before
        if not overrides.get("keep"):
            subprocess.run(["rm", "-rf", str(out)], check=True)
        return Result(
            len(links), int(answer["ok"]), answer["seconds"], answer["cpu"], sent / 1e6, memory
        )

    def _timed(self, name: str, path: Path) -> tuple[dict[str, float], float]:
        python = self.pythons.get(name) or sys.executable
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE.parent) if python == sys.executable else "",
        }
        with (
            (path.parent / "log").open("w+") as log,
            subprocess.Popen(
                [python, str(HERE / "contestants.py"), name, str(path)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            ) as process,
        ):
            peak = _Peak(process.pid)
            output, _ = process.communicate()
            if process.returncode:
                log.seek(0)
                raise SystemExit(f"{name} failed:\n{log.read()[-3000:]}")
        return json.loads(output.splitlines()[-1]), peak.stop()


class _Peak:
    """Samples the memory of a process and its children (proportional set size, Linux only)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        """Return the peak in MB."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            self._peak = max(self._peak, sum(map(_memory, _process_tree(self._pid))))


def _process_tree(pid: int) -> list[int]:
    pids, pending = [], [pid]
    while pending:
        pids.append(pending.pop())
        for path in Path(f"/proc/{pids[-1]}/task").glob("*/children"):
            try:
                pending += map(int, path.read_text().split())
            except OSError:
                continue
    return pids


def _memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def table(rows: Iterable[tuple[object, ...]], header: tuple[str, ...]) -> None:
    """Print rows as a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()


def median(results: list[Result]) -> Result:
    """Return the run with the median rate."""
    return sorted(results, key=lambda result: result.rate)[len(results) // 2]


def speed(bench: Bench, names: list[str], count: int, rounds: int) -> None:
    """Print the first table: the downloaders in turn, and their ratio to amlc."""
    links = bench.server.links("good", count)
    results: dict[str, list[Result]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            results[name].append(bench.run(name, links))
    medians = {name: median(runs) for name, runs in results.items()}
    rows = [_row(name, medians[name], medians[OURS].rate) for name in names]
    rows.append(_row("amlc, thumbnail", bench.run(OURS, links, thumbnail=True), medians[OURS].rate))
    print(f"## {count} images, HTTPS, median of {rounds} rounds\n")
    header = ("downloader", "images/s", "CPU s / 1,000", "MB / 1,000", "peak MB", "failed")
    table(rows, (*header, "amlc is faster by"))
    compare_to_parts(bench, links, medians[OURS])


def compare_to_parts(bench: Bench, links: list[str], whole: Result) -> None:
    """Print the CPU seconds of amlc, and of decoding and transfer alone."""
    parts = {name: _cpu(bench.run(name, links)) for name in ("decode", "transfer")}
    ratio = _cpu(whole) / sum(parts.values())
    print(
        f"CPU s / 1,000: decoding alone {parts['decode']:.2f}, transfer alone "
        f"{parts['transfer']:.2f}, amlc {_cpu(whole):.2f}: {ratio:.2f} times their sum\n"
    )


def faults(bench: Bench, names: list[str], count: int) -> None:
    """Print the second table: 5 % each of 404, stall, reset and truncation."""
    links = bench.server.links("faults", count)
    good = count - count // 5
    rows = []
    for name in names:
        result = bench.run(name, links, tries=2)
        difference = result.ok - good
        rows.append((name, f"{result.seconds:.0f}", result.ok, good, f"{difference:+d}"))
    print(f"## {count} links, 5 % each of 404, stall, reset and truncation\n")
    table(rows, ("downloader", "seconds", "accepted", "good", "difference"))


def growth(bench: Bench, counts: list[int]) -> None:
    """Print the third table: small images, from the network and then from the store."""
    rows = []
    for count in counts:
        links = bench.server.links("small", count)
        store = str(bench.folder / f"store{count}.sqlite")
        for source in ("network", "store"):
            result = bench.run(OURS, links, store=store)
            rows.append((count, source, f"{result.rate:.0f}", f"{result.memory:.0f}"))
        Path(store).unlink()
    print("## Growth: small images\n")
    table(rows, ("links", "from", "images/s", "peak MB"))


def _cpu(result: Result) -> float:
    return result.cpu / result.links * 1000


def _row(name: str, result: Result, best: float) -> tuple[object, ...]:
    return (
        name,
        f"{result.rate:.0f}",
        f"{_cpu(result):.1f}",
        f"{result.megabytes / result.links * 1000:.0f}",
        f"{result.memory:.0f}",
        result.links - result.ok,
        f"{best / result.rate:.1f}",
    )


def main() -> None:
    """Print the tables that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument(
        "--only", nargs="+", default=DOWNLOADERS, choices=DOWNLOADERS, help="these, and amlc"
    )
    parser.add_argument("--img2dataset", help="the Python of an environment that has it")
    parser.add_argument("--originals", type=Path, help="a folder of real product pictures")
    arguments = parser.parse_args()
    names = [name for name in DOWNLOADERS if name in {*arguments.only, OURS}]
    if arguments.img2dataset is None and "img2dataset" in names:
        print("img2dataset is skipped: give --img2dataset PATH/TO/python\n", file=sys.stderr)
        names.remove("img2dataset")
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), arguments.originals) as server,
    ):
        bench = Bench(server, Path(folder), arguments.img2dataset)
        if "speed" in arguments.tables:
            speed(bench, names, arguments.links, arguments.rounds)
        if "faults" in arguments.tables:
            faults(bench, names, arguments.links)
        if "growth" in arguments.tables:
            growth(bench, arguments.growth)


if __name__ == "__main__":
    run(main)
