"""The stage that describes the pictures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from amlc.catalog.products import write_products
from amlc.features.blocks import Dense
from amlc.features.vision.descriptor_names import DESCRIPTORS
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from stages import vision
from tests.helpers.learning import EXECUTOR
from tests.helpers.pictures import jpeg

LINKS = ["a", "b", "a"]


def test_it_writes_one_row_per_product_and_the_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products that share a link share a row's values; a missing picture is a row, too."""
    monkeypatch.chdir(tmp_path)
    _write_inputs()
    vision.main()
    path = Path("data/features/vision.npy")
    first = path.read_bytes()
    vision.main()
    assert path.read_bytes() == first
    block = Dense.read(path)
    assert block.names == tuple(DESCRIPTORS)
    assert block.array[:, 0].tolist() == [0.0, 1.0, 0.0]
    np.testing.assert_array_equal(block.array[0], block.array[2])


def _write_inputs() -> None:
    parameters = {"threads": 2, "executor": EXECUTOR, "vision": {"size": 32}}
    Path("params.yaml").write_text(yaml.safe_dump(parameters), encoding="utf-8")
    folder = Path("data/images")
    folder.mkdir(parents=True)
    results = [FetchResult.ok(Picture(96, 64, jpeg())), FetchResult.failed("timeout", 3)]
    write_shard(folder, 0, ["a", "b"], results, Picture(96, 64, jpeg(1)))
    count = len(LINKS)
    products = pd.DataFrame(
        {
            "sample_id": [str(row) for row in range(count)],
            "split": ["train"] * count,
            "catalog_content": ["Tea"] * count,
            "image_link": LINKS,
            "price": [1.0] * count,
            "group": np.arange(count, dtype=np.int32),
            "fold": np.zeros(count, dtype=np.int8),
        }
    )
    write_products(Path("data/products.parquet"), products)
