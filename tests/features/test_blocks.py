"""The feature blocks and their files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from amlc.errors import DataError
from amlc.features.block import StoredBlock, TableBlock
from amlc.features.block_names import BlockName
from amlc.features.blocks import Blocks, Dense, Tabular, Terms
from amlc.files import read_arrays, write_arrays


@pytest.fixture
def frame() -> pd.DataFrame:
    """Return a tabular block of three rows as a table."""
    return pd.DataFrame(
        {
            "num_a": np.array([0, 0.5, 1], np.float32),
            "num_b": np.zeros(3, np.float32),
            "cat_c": pd.Categorical(["u", "v", "u"], ["u", "v", "w"]),
            "key_d": pd.array(["x", "", "y"], dtype="str"),
        }
    )


def test_a_table_survives_the_round_trip(frame: pd.DataFrame) -> None:
    """A table turned into a block and back is unchanged, including categories without a row."""
    pd.testing.assert_frame_equal(Tabular.from_frame(frame).to_frame(), frame)


def test_an_empty_table_survives_the_round_trip(frame: pd.DataFrame) -> None:
    """A block without rows keeps the types of its columns."""
    empty = Tabular.from_frame(frame[:0]).to_frame()
    assert empty.dtypes.tolist() == frame.dtypes.tolist()


def test_columns_without_a_prefix_are_left_out(frame: pd.DataFrame) -> None:
    """Only columns with a known prefix are features."""
    assert Tabular.from_frame(frame.assign(price=1.0)).shape == (3, 4)


def test_take_selects_rows_of_every_column(frame: pd.DataFrame) -> None:
    """Numbers, categories and keys stay aligned."""
    taken = Tabular.from_frame(frame).take(np.array([2, 0])).to_frame()
    pd.testing.assert_frame_equal(taken, frame.iloc[[2, 0]].reset_index(drop=True))


@pytest.mark.parametrize("group_rows", [1, 2, 3])
def test_parts_of_a_table_give_the_whole(
    frame: pd.DataFrame, group_rows: int, tmp_path: Path
) -> None:
    """However many products come at a time, and whatever the least size of a row group is."""
    block = Tabular.from_frame(frame)
    parts = (block.take(np.array([row])) for row in range(3))
    assert Tabular.write_parts(tmp_path / "parts.parquet", parts, group_rows) == block.shape
    written = pq.ParquetFile(tmp_path / "parts.parquet")
    assert written.num_row_groups == {1: 3, 2: 2, 3: 1}[group_rows]
    read = Tabular.read(tmp_path / "parts.parquet")
    pd.testing.assert_frame_equal(read.to_frame(), frame)


def test_a_table_in_one_group_has_the_bytes_of_the_whole(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    """A catalogue that is no larger than a row group gets the same file either way."""
    block = Tabular.from_frame(frame)
    block.write(tmp_path / "whole.parquet")
    parts = [block.take(np.array([0, 1])), block.take(np.array([2]))]
    Tabular.write_parts(tmp_path / "parts.parquet", parts)
    assert (tmp_path / "parts.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_equal_keys_are_one_object(frame: pd.DataFrame) -> None:
    """So that a million products need the memory of the distinct keys alone."""
    keys = Tabular.from_frame(frame.assign(key_d=["brand", "", "brand"])).keys[:, 0]
    assert keys.tolist() == ["brand", "", "brand"]
    assert keys[0] is keys[2]


@pytest.mark.parametrize("name", ["num_a", "cat_c", "key_d"])
def test_any_column_can_be_left_out(frame: pd.DataFrame, name: str) -> None:
    """A block without numeric, categorical or key columns is a block all the same."""
    rest = frame.drop(columns=name)
    pd.testing.assert_frame_equal(Tabular.from_frame(rest).to_frame(), rest)


def test_the_names_are_those_of_the_table(frame: pd.DataFrame) -> None:
    """Numbers, categories, keys."""
    assert list(Tabular.from_frame(frame).names) == list(frame)


def test_number_returns_a_column_or_none(frame: pd.DataFrame) -> None:
    """A missing numeric column gives None."""
    block = Tabular.from_frame(frame)
    assert block.number("num_z") is None
    np.testing.assert_array_equal(block.number("num_a"), frame["num_a"])


def test_labels_returns_categories_as_texts(frame: pd.DataFrame) -> None:
    """A categorical column is returned as texts instead of codes."""
    assert Tabular.from_frame(frame).labels("cat_c").tolist() == ["u", "v", "u"]


def test_terms_survive_the_file(tmp_path: Path) -> None:
    """SciPy reads them, too, and the bytes are those of `write_arrays`, whose headers are fixed."""
    weights = sp.csr_array(np.tri(5, 7, dtype=np.float32))
    Terms(weights).write(tmp_path / "terms.npz")
    loaded = Terms.read(tmp_path / "terms.npz").weights
    assert loaded.dtype == np.float32
    for matrix in (loaded, sp.load_npz(tmp_path / "terms.npz")):
        np.testing.assert_array_equal(matrix.toarray(), weights.toarray())
    write_arrays(tmp_path / "again.npz", **read_arrays(tmp_path / "terms.npz"))
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "terms.npz").read_bytes()


@given(st.sets(st.text(st.characters(codec="ascii"), min_size=1), min_size=1), st.integers(0, 4))
def test_dense_columns_survive_the_file_with_their_names(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], rows: int
) -> None:
    """Any different names in ASCII, and any number of rows."""
    path = tmp_path_factory.mktemp("dense") / "vision.npy"
    values = np.random.default_rng(0).random((rows, len(names)), dtype=np.float32)
    Dense(values, tuple(names)).write(path)
    loaded = Dense.read(path)
    assert loaded.names == tuple(names)
    assert loaded.array.dtype == np.float32
    np.testing.assert_array_equal(loaded.array, values)


def test_a_block_of_many_columns_survives_the_file(tmp_path: Path) -> None:
    """As many as `topics.n_components` allows."""
    block = Dense.numbered(np.ones((2, 2000), np.float32))
    block.write(tmp_path / "topics.npy")
    assert Dense.read(tmp_path / "topics.npy").names == block.names


def test_pandas_reads_the_names_of_a_dense_block(tmp_path: Path) -> None:
    """The file is a table."""
    Dense(np.ones((2, 2), np.float32), ("a", "b")).write(tmp_path / "vision.npy")
    assert list(pd.DataFrame(np.load(tmp_path / "vision.npy"))) == ["a", "b"]


def test_an_array_without_names_is_refused(tmp_path: Path) -> None:
    """Earlier versions wrote such files."""
    np.save(tmp_path / "vision.npy", np.ones((2, 2), np.float32))
    with pytest.raises(DataError, match="run the stage vision"):
        Dense.read(tmp_path / "vision.npy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with four blocks of three rows."""
    frame = pd.DataFrame({"num_a": np.zeros(3, np.float32), "key_b": ["x", "", "y"]})
    frame["cat_c"] = pd.Categorical(["u", "v", "u"], ["u", "v", "w"])
    Tabular.from_frame(frame).write(tmp_path / "tabular.parquet")
    Terms(sp.csr_array(np.eye(3, dtype=np.float32))).write(tmp_path / "terms.npz")
    Dense.numbered(np.ones((3, 2), np.float32)).write(tmp_path / "topics.npy")
    Dense.numbered(np.ones((3, 4), np.float32)).write(tmp_path / "vision.npy")
    return tmp_path


def test_only_the_named_blocks_are_read(folder: Path) -> None:
    """Other blocks are not there."""
    blocks = Blocks.read(folder, ["topics"])
    assert "topics" in blocks
    assert "terms" not in blocks
    assert blocks.terms is None
    assert len(blocks) == 3


def test_categories_survive_the_file(folder: Path) -> None:
    """A category without a row is still a category."""
    tabular = Blocks.read(folder, ["tabular"]).tabular
    assert tabular is not None
    assert tabular.levels["cat_c"] == ("u", "v", "w")


def test_take_selects_rows_of_every_block(folder: Path) -> None:
    """Rows stay aligned between blocks."""
    taken = Blocks.read(folder, ["tabular", "terms", "topics", "vision"]).take(np.array([2, 0]))
    assert taken.tabular is not None
    assert taken.terms is not None
    assert taken.tabular.keys.tolist() == [["y"], ["x"]]
    assert taken.terms.weights.toarray().tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("name", ["terms", "topics"])
def test_rows_of_a_large_block_stay_on_disk(folder: Path, name: BlockName) -> None:
    """Taking rows, and rows of those, copies nothing until some of them are read."""
    block = Blocks.read(folder, [name]).get(name)
    assert isinstance(block, TableBlock)
    taken = block.take(np.array([2, 0, 1])).take(np.array([1, 2]))
    assert taken.table is block.table
    assert taken.shape == (2, block.shape[1])
    read, whole = (
        np.asarray(sp.csr_array(each.read_rows(1, 2)).todense()) for each in (taken, block)
    )
    np.testing.assert_array_equal(read, whole)


@pytest.mark.parametrize("name", ["terms", "topics"])
def test_a_mask_takes_rows_of_a_block_on_disk(folder: Path, name: BlockName) -> None:
    """As it does from an array: also from rows taken before, and not if its length is another."""
    block = Blocks.read(folder, [name]).get(name)
    assert isinstance(block, StoredBlock)
    taken = block.take(np.array([False, True, True])).take(np.array([False, True]))
    assert taken.rows is not None
    assert taken.rows.tolist() == [2]
    with pytest.raises(IndexError):
        block.take(np.array([True, False]))


def test_blocks_of_different_lengths_are_refused(folder: Path) -> None:
    """A stale block is not combined with a new one."""
    Dense.numbered(np.ones((4, 2), np.float32)).write(folder / "topics.npy")
    with pytest.raises(DataError, match="number of rows"):
        Blocks.read(folder, ["topics", "vision"])


@pytest.mark.parametrize("name", ["tabular", "terms", "topics", "vision"])
def test_a_missing_block_names_its_stage(tmp_path: Path, name: BlockName) -> None:
    """The message says which stage to run."""
    with pytest.raises(DataError, match=f"run the stage {name}"):
        Blocks.read(tmp_path, [name])


def test_a_pickled_file_is_refused(folder: Path) -> None:
    """A file that would have to be unpickled cannot be read."""
    np.save(folder / "topics.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        Blocks.read(folder, ["topics"])


@pytest.mark.parametrize("name", ["tabular", "terms", "topics", "vision"])
def test_a_cut_file_is_named(folder: Path, name: BlockName) -> None:
    """A copy that was interrupted is an error with a remedy, not a traceback."""
    path = next(folder.glob(f"{name}.*"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=rf"{name}\..* cannot be read.*run the stage {name}"):
        Blocks.read(folder, [name])


def test_selected_blocks_keep_the_given_order(folder: Path) -> None:
    """It is the order of the columns that models see."""
    blocks = Blocks.read(folder, ["topics", "tabular", "vision"]).select(["vision", "topics"])
    assert list(blocks.dense) == ["vision", "topics"]
    assert "tabular" not in blocks


def test_no_blocks_have_no_rows() -> None:
    """The length of an empty collection is 0."""
    assert len(Blocks()) == 0


def test_encoders_are_read_by_name_or_all_together(tmp_path: Path) -> None:
    """In alphabetical order, beside other blocks."""
    for number, name in enumerate(["vision", "encoders/words", "encoders/a-1"]):
        block = Dense.numbered(np.full((2, 1), number, np.float32))
        block.write(tmp_path / f"{name}.npy")
    every = Blocks.read(tmp_path, ["vision", "encoders"])
    assert list(every.dense) == ["vision", "encoders.a-1", "encoders.words"]
    assert list(every.select(["encoders"]).dense) == ["encoders.a-1", "encoders.words"]
    one = Blocks.read(tmp_path, ["encoders.words", "encoders.words"])
    assert one.dense["encoders.words"].array[0, 0] == 1
    assert "encoders" in one
    assert "encoders" not in one.select([])


@pytest.mark.parametrize("name", ["encoders", "encoders.words"])
def test_an_encoder_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    """The error says which there are, and where to name one."""
    with pytest.raises(DataError, match=f"no block {name}; encoders: none; name it in the section"):
        Blocks.read(tmp_path, [name])


def test_a_broken_encoder_names_its_stage(tmp_path: Path) -> None:
    """The stage is not called like the block."""
    (tmp_path / "encoders").mkdir()
    (tmp_path / "encoders" / "words.npy").write_bytes(b"broken")
    with pytest.raises(DataError, match="run the stage encode"):
        Blocks.read(tmp_path, ["encoders"])


@pytest.mark.parametrize("name", ["encoder", "encoders.", "encoders.A", "encoders.a/b", "title"])
def test_an_unknown_name_is_no_block(name: str) -> None:
    """The names that there are stand in the error."""
    with pytest.raises(ValidationError, match="expected one of tabular, terms"):
        TypeAdapter(BlockName).validate_python(name)
