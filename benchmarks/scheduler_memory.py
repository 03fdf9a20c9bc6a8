"""The memory of a cluster's scheduler while 100,000 links are fetched.

`python benchmarks/scheduler_memory.py` starts a loopback server with small pictures, a scheduler
and two workers, each a process of its own, and runs the stage `images` over as many links. The
memory of each (resident, Linux only) is read once a second; the table has it by the number of links
that the server has answered, and how it grew after the first tenth.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import checkout
import numpy as np
import yaml
from download import Server, serving
from setting_changes import changed

from amlc import params
from amlc.catalog.products import read_links
from amlc.errors import CheckError, run
from amlc.files import read_json, write_text
from amlc.layout import IMAGE_METRICS, PRODUCTS

WORKERS = 2
START_SECONDS = 60.0
# Lines of the table.
STEPS = 10


@dataclass(frozen=True)
class Sample:
    """Memory in MB after so many links."""

    links: int
    scheduler: float
    stage: float
    workers: float


def write_catalogue(folder: Path, links: list[str]) -> None:
    """Write a catalogue with these links and the settings for it, and run the stage `prepare`."""
    settings = params.read(checkout.ROOT / params.PATH)
    local = {
        "data.dir": "catalogue",
        "data.test": None,
        "images.mirror": None,
        "images.allow_private_hosts": ["127.0.0.1"],
    }
    write_text(folder / params.PATH, yaml.safe_dump(changed(settings, local), sort_keys=False))
    (folder / "catalogue").mkdir()
    with (folder / "catalogue/train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sample_id", "catalog_content", "image_link", "price"])
        for number, link in enumerate(links):
            writer.writerow([number, f"Item Name: Product {number}", link, 1 + number % 90])
    subprocess.run(_python("stages.prepare"), cwd=folder, env=_environment(folder), check=True)
    assert len(read_links(folder / PRODUCTS)) == len(links)


def _python(module: str, *options: str) -> list[str]:
    return [sys.executable, "-m", module, *options]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "AMLC_MIRROR"}
    here = {"PYTHONPATH": str(checkout.ROOT), "AMLC_STORE": str(folder / "store")}
    return {**kept, **here, "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}


@contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the background, and end it."""
    with subprocess.Popen(command, cwd=folder, env=_environment(folder)) as process:
        try:
            yield process
        finally:
            process.terminate()


def cluster(folder: Path, stack: ExitStack) -> tuple[str, int, list[int]]:
    """Start a scheduler and workers; return its address, its process and the workers'."""
    found = folder / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file"]
    command = _python("distributed.cli.dask_scheduler", *options, str(found))
    scheduler = stack.enter_context(started(command, folder))
    deadline = time.monotonic() + START_SECONDS
    while not found.exists():
        if scheduler.poll() is not None or time.monotonic() > deadline:
            raise CheckError("the scheduler has not started; what it said is above")
        time.sleep(0.1)
    address = json.loads(found.read_text())["address"]
    workers = [
        stack.enter_context(started(_python("amlc.execution.worker", address), folder))
        for _ in range(WORKERS)
    ]
    return address, scheduler.pid, [worker.pid for worker in workers]


def megabytes(process: int) -> float:
    """Return the memory of a process and of those that it started; 0 once it has ended."""
    threads = Path(f"/proc/{process}/task").glob("*/children")
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        # Any thread may have started some.
        children = [child for thread in threads for child in thread.read_text().split()]
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
    return own + sum(megabytes(int(child)) for child in children)


def watch(folder: Path, server: Server) -> list[Sample]:
    """Run the stage on the cluster, and return the memory once a second.

    Raises
    ------
    CheckError
        The stage failed.
    """
    samples = []
    with ExitStack() as stack:
        address, scheduler, workers = cluster(folder, stack)
        path = folder / params.PATH
        here = {"executor.kind": "dask", "executor.scheduler": address}
        write_text(path, yaml.safe_dump(changed(params.read(path), here), sort_keys=False))
        stage = stack.enter_context(started(_python("stages.images"), folder))
        while stage.poll() is None:
            links = server.stats()["requests"]
            memory = [megabytes(scheduler), megabytes(stage.pid), sum(map(megabytes, workers))]
            samples.append(Sample(links, *memory))
            time.sleep(1)
        if stage.returncode:
            raise CheckError(f"the stage ended with code {stage.returncode}")
    return samples


def table(samples: list[Sample], links: int) -> str:
    """Return a Markdown table: the largest memory within each tenth of the links."""
    names = ("scheduler", "stage", "workers")
    header = ["links", *(f"{name}, MB" for name in names)]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for step in range(STEPS):
        low, high = links * step // STEPS, links * (step + 1) // STEPS
        within = [sample for sample in samples if low < sample.links <= high]
        if not within:
            continue
        cells = [max(getattr(sample, name) for sample in within) for name in names]
        lines.append(f"| {high:,} | " + " | ".join(f"{cell:,.0f}" for cell in cells) + " |")
    return "\n".join(lines)


def growth(samples: list[Sample], links: int) -> float:
    """Return by how many MB the scheduler grew per 100,000 links, after the first tenth.

    Parameters
    ----------
    samples : list of Sample
        Of the whole run.
    links : int
        Their number.

    Examples
    --------
    >>> growth([Sample(links, 30 + links / 1000, 0, 0) for links in range(0, 501, 100)], 500)
    100.0
    """
    later = [sample for sample in samples if sample.links > links / STEPS]
    slope, _ = np.polyfit(
        [sample.links for sample in later], [sample.scheduler for sample in later], 1
    )
    return round(float(slope) * 100_000, 1)


def main() -> None:
    """Fetch, watch, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=100_000)
    count = parser.parse_args().links
    with (
        tempfile.TemporaryDirectory() as name,
        serving(Path(name), None, "--plain", "--latency", "0.01") as server,
    ):
        folder = Path(name)
        write_catalogue(folder, server.links("small", count))
        samples = watch(folder, server)
        ok = read_json(folder / IMAGE_METRICS)["ok"]
    if ok != count:
        raise CheckError(f"{count - ok} of {count} pictures are missing")
    print(f"## Memory while {count:,} links are fetched by {WORKERS} workers\n")
    print(table(samples, count))
    print(f"\nThe scheduler grew by {growth(samples, count):+.1f} MB per 100,000 links.")


if __name__ == "__main__":
    run(main)
