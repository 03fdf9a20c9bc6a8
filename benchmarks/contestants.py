"""Image downloaders, each run by benchmarks/download.py in a process of its own.

`python benchmarks/contestants.py NAME JOB` reads JOB, a JSON file, and prints one line of JSON.
img2dataset runs in its own environment, so each function imports only what it needs.
"""

# ruff: noqa: PLC0415 - the environments differ: each function imports only what it needs

import argparse
import io
import json
import multiprocessing
import os
import resource
import ssl
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amlc.images.settings import FetchSettings, ImageSettings

Job = dict[str, Any]


def requests_get(job: Job) -> int:
    """Download as in the approach report: `requests.get` in 60 threads, full decode."""
    import requests
    from PIL import Image

    folder = Path(job["out"])
    job["start"] = _clocks()

    def save(item: tuple[int, str]) -> bool:
        number, link = item
        try:
            answer = requests.get(link, timeout=job["timeout"], verify=job["ca"])
            answer.raise_for_status()
            image = Image.open(io.BytesIO(answer.content)).convert("RGB")
            scale = job["size"] / max(image.size)
            sides = [max(1, round(side * scale)) for side in image.size]
            image.resize(sides, Image.Resampling.BICUBIC).save(folder / f"{number}.jpg", quality=90)
        except (requests.RequestException, OSError):
            return False
        return True

    with ThreadPoolExecutor(job["workers"]) as pool:
        return sum(pool.map(save, enumerate(job["links"])))


def _retrieve(item: tuple[str, str, float]) -> bool:
    # As the organisers' script: up to three tries, three seconds apart.
    link, path, pause = item
    for _ in range(3):
        try:
            urllib.request.urlretrieve(link, path)
        except OSError:
            time.sleep(pause)
        else:
            return True
    return False


def organisers(job: Job) -> int:
    """Download as the challenge's organisers do: a process pool and urllib, files unchanged."""
    import socket

    socket.setdefaulttimeout(job["timeout"])
    items = [(link, f"{job['out']}/{n}.jpg", 3.0) for n, link in enumerate(job["links"])]
    with multiprocessing.Pool(job["workers"]) as pool:
        return sum(pool.imap(_retrieve, items))


def img2dataset(job: Job) -> int:
    """Run img2dataset with the same threads and size."""
    from img2dataset import download

    job["start"] = _clocks()
    links = Path(job["out"]) / "links.txt"
    links.write_text("\n".join(job["links"]))
    download(
        url_list=str(links),
        input_format="txt",
        output_folder=str(Path(job["out"]) / "shards"),
        output_format="parquet",
        processes_count=1,
        thread_count=job["workers"],
        image_size=job["size"],
        resize_mode="keep_ratio_largest",
        encode_quality=90,
        timeout=job["timeout"],
        retries=job["tries"] - 1,
        number_sample_per_shard=1000,
        enable_wandb=False,
    )
    stats = (Path(job["out"]) / "shards").glob("*_stats.json")
    return sum(json.loads(path.read_text())["successes"] for path in stats)


def amlc(job: Job) -> int:
    """Run this project's downloader, with all its checks."""
    from amlc.images.download import download
    from amlc.images.shards import summarise

    out = Path(job["out"]) / "shards"
    out.mkdir()
    job["start"] = _clocks()
    download(job["links"], _settings(job), _fetching(job), Path(job["store"]), out)
    summary = summarise(out, Path(job["out"]) / "failed.txt")
    print(json.dumps(dict(summary.by_reason)), file=sys.stderr)
    return summary.ok


def transfer(job: Job) -> int:
    """Only fetch the bytes: amlc's client without decoding, store and shards."""
    from amlc.catalog.links import parse_link
    from amlc.images.client import Client

    settings = _settings(job)
    job["start"] = _clocks()
    client = Client(settings, settings.max_bytes, _fetching(job))
    with ThreadPoolExecutor(job["workers"]) as pool:
        bodies = pool.map(lambda link: len(client.fetch(parse_link(link)).data), job["links"])
        return sum(1 for _ in bodies)


def decode(job: Job) -> int:
    """Only decode, in draft mode, in one thread; the time to fetch the pictures is not counted."""
    from amlc.images.decode import decode as decode_picture

    settings = _settings(job)
    context = ssl.create_default_context(cafile=job["ca"])
    bodies = [urllib.request.urlopen(link, context=context).read() for link in job["links"][:40]]
    job["start"] = _clocks()
    for number in range(len(job["links"])):
        decode_picture(bodies[number % len(bodies)], settings)
    return len(job["links"])


def _settings(job: Job) -> "ImageSettings":
    from amlc.images.settings import ImageSettings

    return ImageSettings(
        size=job["size"],
        quality=90,
        allow_private_hosts=["127.0.0.1"],
        thumbnail=job.get("thumbnail", False),
        thumbnail_hosts=["127.0.0.1"],
        max_bytes=20_000_000,
        max_pixels=40_000_000,
        max_side=65_535,
        min_side=8,
        tries=job["tries"],
    )


def _fetching(job: Job) -> "FetchSettings":
    from amlc.images.settings import FetchSettings

    return FetchSettings(
        workers=job["workers"],
        per_host=job["workers"],
        give_up_after=50,
        read_seconds=job["timeout"],
        ca_bundle=job["ca"],
    )


def _clocks() -> tuple[float, float]:
    """Return the wall clock, and the CPU seconds of this process and its finished children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return time.perf_counter(), sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Run one downloader and print its cost."""
    downloaders = (requests_get, organisers, img2dataset, amlc, transfer, decode)
    by_name = {each.__name__: each for each in downloaders}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=by_name)
    parser.add_argument("job", type=Path)
    arguments = parser.parse_args()
    job = json.loads(arguments.job.read_text())
    os.environ["SSL_CERT_FILE"] = job["ca"]
    # Each downloader restarts the clocks when its imports are done.
    job["start"] = _clocks()
    ok = by_name[arguments.name](job)
    now = _clocks()
    wall, cpu = (end - start for end, start in zip(now, job["start"], strict=True))
    print(json.dumps({"seconds": wall, "cpu": cpu, "ok": ok}))


if __name__ == "__main__":
    main()
