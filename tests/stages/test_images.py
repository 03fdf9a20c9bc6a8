"""The stage images."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from amlc.catalog.products import PRODUCT_SCHEMA, write_products
from amlc.errors import run
from amlc.images.shards import read_statuses
from stages import images
from tests.helpers.learning import EXECUTOR
from tests.helpers.pictures import jpeg
from tests.images.conftest import FETCHING, SETTINGS

LINKS = ["https://a.invalid/1.jpg", "https://a.invalid/2.jpg", "https://a.invalid/1.jpg", ""]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with parameters, a product table and a mirror of one picture."""
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
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "cache"))
    return tmp_path


def _outputs(workspace: Path) -> dict[str, bytes]:
    paths = [path for name in ("data", "metrics") for path in (workspace / name).rglob("*.*")]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def test_the_stage_writes_a_row_for_every_link(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It writes shards, failures and counts; a second run changes no byte."""
    (workspace / "data" / ".images.0123abcd").mkdir()
    run(images.main)
    printed = capsys.readouterr()
    assert not printed.err
    assert printed.out.startswith("3 links, 1 ok, 2 placeholders\n")
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
    run(images.main)
    assert _outputs(workspace) == before
    assert not list((workspace / "data").glob(".images.*"))


def test_a_missing_mirror_stops_the_stage_with_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the setting, and no folder of images is left."""
    (workspace / "mirror" / "1.jpg").unlink()
    (workspace / "mirror").rmdir()
    with pytest.raises(SystemExit) as ended:
        run(images.main)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: images.mirror or AMLC_MIRROR: mirror: No such file or directory")
    assert not (workspace / "data" / "images").exists()
