"""Atomic, byte-deterministic writing of files and folders, and removal of what killed runs left."""

import csv
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from amlc.errors import DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block succeeds.

    Parameters
    ----------
    path : Path
        The file to create or replace; its folder is created.

    Yields
    ------
    Path
        Where to write. It is removed where the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which replaces `path` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends on every platform."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, sorted by key and refusing NaN, so that equal content gives equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file with a header; cells are quoted where they need it."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote.

    Raises
    ------
    DataError
        The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; run dvc repro") from None
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}; run dvc repro") from None


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write one array as .npy, without pickling."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table as Parquet; the same table gives the same bytes."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame as Parquet, without its index."""
    write_table(path, pa.Table.from_pandas(frame, preserve_index=False))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


if sys.platform != "win32":
    import fcntl


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Mark a folder as in use while the block runs; the mark ends with the process, however."""
    with _opened(folder) as handle:
        _lock(handle)
        yield


def remove_leftovers(target: Path) -> None:
    """Remove what killed runs left beside `target` while they made it.

    Parameters
    ----------
    target : Path
        The folder that `amlc.files.replacing_folder` was to make.
    """
    for folder in sorted(target.parent.glob(f".{target.name}.*")):
        with _opened(folder) as handle:
            if _lock(handle):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    # Windows opens no folders: nothing is marked there, and nothing removed.
    handle = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int | None) -> bool:
    if handle is None or sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
