"""The stage images, run in a separate process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from amlc.catalog.products import PRODUCT_SCHEMA, write_products
from amlc.images.shards import read_statuses
from tests.helpers.learning import EXECUTOR
from tests.helpers.pictures import jpeg
from tests.images.conftest import FETCHING, SETTINGS

ROOT = Path(__file__).parents[2]
LINKS = ["https://a.invalid/1.jpg", "https://a.invalid/2.jpg", "https://a.invalid/1.jpg", ""]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Return a folder with parameters, a product table of four rows and a mirror of one picture."""
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "1.jpg").write_bytes(jpeg())
    settings = {"images": {**SETTINGS, "mirror": "mirror"}, "fetching": FETCHING}
    settings["executor"] = EXECUTOR
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    count = len(LINKS)
    products = pd.DataFrame(
        {
            "sample_id": [str(number) for number in range(count)],
            "split": "train",
            "catalog_content": "text",
            "image_link": LINKS,
            "price": 1.0,
            "group": pd.Series(range(count), dtype="int32"),
            "fold": pd.Series([0] * count, dtype="int8"),
        }
    )
    write_products(tmp_path / "data" / "products.parquet", products[PRODUCT_SCHEMA.names])
    return tmp_path


def _run(workspace: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.images"],
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AMLC_STORE": str(workspace / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def _outputs(workspace: Path) -> dict[str, bytes]:
    paths = [path for name in ("data", "metrics") for path in (workspace / name).rglob("*.*")]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def test_the_stage_writes_a_row_for_every_link(workspace: Path) -> None:
    """It writes shards, failures and counts; a second run changes no byte."""
    (workspace / "data" / ".images.0123abcd").mkdir()
    done = _run(workspace)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 links, 1 ok, 2 placeholders\n")
    assert read_statuses(workspace / "data" / "images") == {
        "": "placeholder",
        LINKS[0]: "ok",
        LINKS[1]: "placeholder",
    }
    failures = (workspace / "data" / "failed_images.txt").read_text()
    assert failures == (
        "# Image links without a picture, as tab-separated values below a header\n"
        "link\treason\ttries\n\tno link\t0\nhttps://a.invalid/2.jpg\t"
        "not in images.mirror, host not found\t0\n"
    )
    assert json.loads((workspace / "metrics" / "images.json").read_text()) == {
        "links": 3,
        "ok": 1,
        "placeholders": 2,
        "failures": {"no link": 1, "not in images.mirror, host not found": 1},
    }
    before = _outputs(workspace)
    assert _run(workspace).returncode == 0
    assert _outputs(workspace) == before
    assert not list((workspace / "data").glob(".images.*"))


def test_a_missing_mirror_stops_the_stage_with_one_line(workspace: Path) -> None:
    """The error names the setting, and no folder of images is left."""
    (workspace / "mirror" / "1.jpg").unlink()
    (workspace / "mirror").rmdir()
    done = _run(workspace)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: images.mirror or AMLC_MIRROR: mirror: No such file or directory"
    )
    assert len(done.stderr.splitlines()) == 1
    assert not (workspace / "data" / "images").exists()
