"""Seconds and memory that decoding hostile pictures takes, at the limits of params.yaml.

`python benchmarks/hostile.py` decodes 500 generated files (tests/helpers/hostile_pictures.py), one
after another in one process, and prints the costliest. Memory is what decoding adds to that of the
process with the file in it; seconds are of the processor. It needs Linux.
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import checkout
from measured import peak_megabytes

from amlc import params
from amlc.images.decode import decode, pillow_warning_filters
from amlc.images.fetch_result import FetchError
from amlc.images.settings import ImageSettings
from tests.helpers.hostile_pictures import Scale, hostile_pictures

# The costliest pictures that are printed.
_ROWS = 10


@dataclass(frozen=True)
class _Cost:
    seconds: float
    megabytes: float
    kind: str
    result: str


def main() -> None:
    """Print the costliest pictures and the number of each outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    settings = params.load(ImageSettings, "images", checkout.ROOT / "params.yaml")
    scale = Scale(settings.max_pixels, settings.max_bytes)
    with pillow_warning_filters():
        costs = [
            _measured(kind, body, settings)
            for kind, body in hostile_pictures(arguments.count, arguments.seed, scale)
        ]
    print(Counter(cost.result for cost in costs))
    for unit in ("seconds", "megabytes"):
        print(f"\n{unit}:")
        for cost in sorted(costs, key=lambda each: -getattr(each, unit))[:_ROWS]:
            print(f"{cost.seconds:6.2f} s {cost.megabytes:6.0f} MB  {cost.kind}: {cost.result}")


def _measured(kind: str, body: bytes, settings: ImageSettings) -> _Cost:
    # Forget the peak so far.
    Path("/proc/self/clear_refs").write_text("5")
    before, started = peak_megabytes(), time.process_time()
    try:
        decode(body, settings, kind)
    except FetchError as error:
        result = error.reason
    else:
        result = "a picture"
    return _Cost(time.process_time() - started, peak_megabytes() - before, kind, result)


if __name__ == "__main__":
    main()
