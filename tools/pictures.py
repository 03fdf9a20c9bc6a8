"""Take the documentation's pictures of the report and of the service: `python -m tools.pictures`.

Needs a finished run on the synthetic catalogue, Chromium and the development tools.
"""

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from amlc import layout, params
from amlc.catalog.products import LINK, TEXT
from amlc.errors import DataError, run
from amlc.files import replacing

PICTURES = Path("docs/pictures")
SIZE: ViewportSize = {"width": 1280, "height": 860}
COLOURS = 128


def main(arguments: Sequence[str] | None = None) -> None:
    """Write report.png and page.png."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    folder = params.value("data.dir")
    if folder != str(layout.SYNTHETIC):
        raise DataError(f"data.dir is {folder}: pictures of real products must not be committed")
    with sync_playwright() as playwright, service() as address:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE)
        page.goto((layout.REPORT / "index.html").resolve().as_uri())
        save(page, "report.png")
        page.goto(address)
        page.set_input_files("#picture", example_picture())
        page.locator("#example").click()
        page.wait_for_load_state("networkidle")
        save(page, "page.png")
        browser.close()


def example_picture() -> Path:
    """Return the picture of a synthetic product like the page's example."""
    products = pd.read_csv(layout.SYNTHETIC / "train.csv")
    link: str = products[LINK][products[TEXT].str.contains("Tea Bags")].iloc[0]
    return layout.SYNTHETIC_IMAGES / urlsplit(link).path.rpartition("/")[2]


@contextmanager
def service() -> Iterator[str]:
    """Run the service and give its address."""
    command = [sys.executable, "-m", "amlc", "serve", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def save(page: Page, name: str) -> None:
    """Write a picture of what the browser shows, in few colours: git keeps every version."""
    page.wait_for_timeout(1000)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS)
    with replacing(PICTURES / name) as temporary:
        image.save(temporary, "png", optimize=True)
    print(PICTURES / name)


if __name__ == "__main__":
    run(main)
