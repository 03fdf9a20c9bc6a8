"""The stage encode, with its store."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.helpers.deep import make_image_model, make_text_model, skip_without_deep

skip_without_deep()

from amlc.catalog.products import write_products
from amlc.errors import ModelError
from amlc.features.blocks import Blocks
from amlc.features.encoders import remote
from amlc.features.encoders.frozen import FrozenEncoder
from amlc.features.encoders.settings import read_encoders
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from stages import encode
from tests.helpers.learning import EXECUTOR
from tests.helpers.pictures import jpeg
from tests.helpers.pieces import Copying

ROWS = 150
WORDS = ("green", "black", "tea", "soda", "sweet", "count", "pack of 6", "20 bags")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder: products with texts and pictures, and two tiny encoders."""
    texts = [f"Item Name: {WORDS[row % 8]} {WORDS[row % 5]} {row % 21}" for row in range(ROWS)]
    texts[7] = ""
    links = [f"https://example.com/{row % 9}.jpg" if row % 3 else "" for row in range(ROWS)]
    products = pd.DataFrame(
        {
            "sample_id": [str(row) for row in range(ROWS)],
            "split": "train",
            "catalog_content": texts,
            "image_link": links,
            "price": 1.0,
            "group": np.arange(ROWS, dtype=np.int32),
            "fold": np.int8(0),
        }
    )
    write_products(tmp_path / "data/products.parquet", products)
    distinct = sorted({link for link in links if link})
    pictures = [FetchResult("ok", "", 0, Picture(40, 30, jpeg(n))) for n in range(len(distinct))]
    pictures[2] = FetchResult("placeholder", "404", 1, None)
    (tmp_path / "data/images").mkdir()
    write_shard(tmp_path / "data/images", 0, distinct, pictures, Picture(8, 8, jpeg(0)))
    common = {"revision": None, "batch_size": 8, "precision": "float32", "pooling": "model"}
    sections: dict[str, Any] = {
        "threads": 2,
        "executor": EXECUTOR,
        "encoders": {
            "words": {
                **common,
                "kind": "text",
                "model": str(make_text_model(tmp_path / "words", pooling="mean_tokens")),
                "tokens": None,
            },
            "pixels": {
                **common,
                "kind": "image",
                "model": str(make_image_model(tmp_path / "pixels")),
                "architecture": None,
            },
        },
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outputs(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file that the stage writes."""
    paths = [*folder.glob("data/features/**/*"), *folder.glob("data/encoders/**/*")]
    paths += folder.glob("metrics/*")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}


def count_encoded(monkeypatch: pytest.MonkeyPatch, *, fail_after: int | None = None) -> list[int]:
    """Let encoders count what they encode, and fail after so many batches."""
    counts: list[int] = []
    batches = FrozenEncoder.batches

    def counted(self: FrozenEncoder, contents: Sequence[str | bytes]) -> Iterator[Any]:
        for positions, batch in batches(self, contents):
            counts.append(len(positions))
            if fail_after is not None and len(counts) > fail_after:
                raise ModelError("interrupted")
            yield positions, batch

    monkeypatch.setattr(FrozenEncoder, "batches", counted)
    return counts


def test_workers_give_the_same_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whichever texts are encoded together; copies stand in for other processes."""
    encode.main()
    here = outputs(folder)
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "other-store"))
    monkeypatch.setattr(encode, "open_backend", lambda _: nullcontext(Copying()))
    monkeypatch.setattr(remote, "PIECE_CONTENTS", 7)
    encode.main()
    assert outputs(folder) == here


@pytest.mark.usefixtures("folder")
def test_a_worker_with_another_encoder_is_refused() -> None:
    """Its vectors would differ."""
    settings = read_encoders()["words"]
    with pytest.raises(ModelError, match="a worker has other files of it"):
        remote.encode_piece((settings, "another key"), ["green tea"])


def test_vectors_follow_the_products(folder: Path) -> None:
    """Equal texts and links have equal vectors; what is missing has the flag and zeros."""
    encode.main()
    blocks = Blocks.read(folder / "data/features", ["encoders"]).dense
    words, pixels = blocks["encoders.words"].array, blocks["encoders.pixels"].array
    assert words.shape == pixels.shape == (ROWS, 17)
    assert np.flatnonzero(words[:, 0]).tolist() == [7]
    # Rows without a link, and those whose link has no picture: the third of the links.
    expected = [row % 3 == 0 or row % 9 == 4 for row in range(ROWS)]
    np.testing.assert_array_equal(pixels[:, 0], expected)
    assert not pixels[pixels[:, 0] == 1, 1:].any()
    np.testing.assert_array_equal(pixels[1], pixels[10])
    assert (pixels[1] != pixels[2]).any()
    np.testing.assert_allclose(np.linalg.norm(words[:7, 1:], axis=1), 1, rtol=1e-6)


def test_what_was_encoded_once_is_not_encoded_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run gives the same bytes without encoding anything."""
    encode.main()
    first = outputs(folder)
    counts = count_encoded(monkeypatch)
    encode.main()
    assert not counts
    assert outputs(folder) == first


def test_an_interrupted_run_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the bytes of an undisturbed one, and encodes only what was not stored."""
    encode.main()
    undisturbed = outputs(folder)
    monkeypatch.setenv("AMLC_STORE", str(folder / "other"))
    with pytest.MonkeyPatch.context() as patch:
        count_encoded(patch, fail_after=15)
        with pytest.raises(ModelError, match="interrupted"):
            encode.main()
    counts = count_encoded(monkeypatch)
    encode.main()
    assert 0 < sum(counts) < ROWS - 60
    assert outputs(folder) == undisturbed


def test_another_setting_is_another_encoder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of other settings are never taken; the number of texts at once does not matter."""
    encode.main()
    sections = yaml.safe_load(Path("params.yaml").read_text())
    counts = count_encoded(monkeypatch)
    sections["encoders"]["words"]["batch_size"] = 3
    Path("params.yaml").write_text(yaml.safe_dump(sections))
    encode.main()
    assert not counts
    sections["encoders"]["words"]["tokens"] = 5
    Path("params.yaml").write_text(yaml.safe_dump(sections))
    encode.main()
    assert sum(counts) > 50
    assert folder.is_dir()


def test_a_damaged_store_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The vectors are the same as before."""
    encode.main()
    first = outputs(folder)
    assert "damaged" not in capsys.readouterr().out
    (folder / "store" / "encoders.sqlite").write_bytes(b"damage" * 1000)
    encode.main()
    assert "the store was damaged" in capsys.readouterr().out
    assert outputs(folder) == first


def test_no_encoders_need_no_torch(folder: Path) -> None:
    """Without encoders the stage writes lists without a name, although PyTorch is installed."""
    Path("params.yaml").write_text("encoders: {}\nthreads: 1\n")
    root = Path(__file__).parents[2]
    program = (
        "import sys; from stages import encode; encode.main(); "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], env=_environment(root), check=True)
    assert set(outputs(folder)) == {
        "data/features/encoders/encoders.json",
        "data/encoders/pretrained/encoders.json",
        "metrics/encoders.json",
    }


def _environment(root: Path) -> dict[str, str]:

    return {**os.environ, "PYTHONPATH": str(root)}
