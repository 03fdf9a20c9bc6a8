"""Ways to download images, each run by benchmarks/download.py in a process of its own.

`python benchmarks/contestants.py NAME JOB` reads JOB, a JSON file, and prints one line of JSON.
img2dataset runs in its own environment, so this file imports only what each way needs.
"""

# ruff: noqa: PLC0415 - the environments differ: each way imports what it alone needs

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
    from amlc.images.settings import ImageSettings

Job = dict[str, Any]


def requests_get(job: Job) -> int:
    """Go the way of the approach report: `requests.get` in 60 threads, full decode."""
    import requests
    from PIL import Image

    folder = Path(job["out"])
    job["start"] = _used()

    def one(item: tuple[int, str]) -> bool:
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
        done = list(pool.map(one, enumerate(job["links"])))
    return sum(done)


def _retrieve(item: tuple[str, str, float]) -> bool:
    # As the organisers' helper: up to three tries, three seconds apart, and a black placeholder.
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
    """Go the way of the challenge's organisers: a process pool and urllib; files as they come."""
    import socket

    socket.setdefaulttimeout(job["timeout"])
    items = [(link, f"{job['out']}/{n}.jpg", 3.0) for n, link in enumerate(job["links"])]
    with multiprocessing.Pool(job["workers"]) as pool:
        return sum(pool.imap(_retrieve, items))


def img2dataset(job: Job) -> int:
    """Run img2dataset with the same threads and size."""
    from img2dataset import download

    job["start"] = _used()
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
    """Run this project's downloader, with every guard in place."""
    from amlc.images.download import download
    from amlc.images.shards import summarise

    out = Path(job["out"]) / "shards"
    out.mkdir()
    job["start"] = _used()
    download(job["links"], _settings(job), Path(job["store"]), out)
    summary = summarise(out, Path(job["out"]) / "failed.txt")
    print(json.dumps(dict(summary.by_reason)), file=sys.stderr)
    return summary.ok


def transfer(job: Job) -> int:
    """Fetch the bytes alone: amlc's client without decoding, store and shards."""
    from amlc.images import urls
    from amlc.images.client import Client

    settings = _settings(job)
    job["start"] = _used()
    client = Client(settings)
    with ThreadPoolExecutor(job["workers"]) as pool:
        bodies = pool.map(lambda link: len(client.fetch(urls.parse(link)).data), job["links"])
        return sum(1 for _ in bodies)


def decode(job: Job) -> int:
    """Decode alone, in draft mode, in one thread; the pictures are fetched beforehand."""
    from amlc.images.decode import decode_with

    settings = _settings(job)
    context = ssl.create_default_context(cafile=job["ca"])
    bodies = [urllib.request.urlopen(link, context=context).read() for link in job["links"][:40]]
    job["start"] = _used()
    for number in range(len(job["links"])):
        decode_with(settings, bodies[number % len(bodies)])
    return len(job["links"])


def _settings(job: Job) -> "ImageSettings":
    from amlc.images.settings import ImageSettings

    return ImageSettings(
        size=job["size"],
        quality=90,
        shard_links=1000,
        mirror=None,
        retry_failed=False,
        remember_days=30,
        allow_hosts=[],
        allow_private_hosts=["127.0.0.1"],
        ca_bundle=job["ca"],
        respect_noai=True,
        thumbnail=job.get("thumbnail", False),
        thumbnail_hosts=["127.0.0.1"],
        max_bytes=20_000_000,
        max_pixels=40_000_000,
        tries=job["tries"],
        workers=job["workers"],
        per_host=job["workers"],
        give_up_after=50,
        connect_seconds=5.0,
        read_seconds=job["timeout"],
        deadline_seconds=30.0,
        backoff_seconds=0.5,
        retry_after_seconds=30.0,
    )


def _used() -> tuple[float, float]:
    """Return the wall clock, and the CPU seconds of this process and its finished children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return time.perf_counter(), sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Run one way and print what it took."""
    name, path = sys.argv[1:]
    job = json.loads(Path(path).read_text())
    os.environ["SSL_CERT_FILE"] = job["ca"]
    ways = (requests_get, organisers, img2dataset, amlc, transfer, decode)
    way = {each.__name__: each for each in ways}[name]
    job["start"] = _used()
    # Each way starts the clock anew when its imports are done.
    ok = way(job)
    now = _used()
    wall, cpu = (end - start for end, start in zip(now, job["start"], strict=True))
    print(json.dumps({"seconds": wall, "cpu": cpu, "ok": ok}))


if __name__ == "__main__":
    main()
