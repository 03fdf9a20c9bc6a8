"""Atomic, byte-deterministic writing of files and folders, and removal of stale folders."""

import csv
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from amlc.errors import DataError

_LOCK_SUFFIX = ".lock"


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
        Where the block creates the file, which is removed if the block raises.
    """
    temporary = _temporary_path(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which replaces `path` when the block succeeds."""
    temporary = _temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line endings on every platform."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, sorted by key and refusing NaN, so that equal content gives equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file with a header, quoting the cells that need it."""
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


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays by name as an uncompressed .npz."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def read_arrays(path: Path) -> dict[str, Any]:
    """Read the arrays that `write_arrays` wrote; a file that needs unpickling is refused."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        return dict(content)


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table as Parquet; equal tables give equal bytes."""
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame as Parquet, without its index."""
    write_table(path, pa.Table.from_pandas(frame, preserve_index=False))


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder while the block runs; a killed process loses it.

    Parameters
    ----------
    folder : Path
        A temporary folder that `replacing_folder` has yielded. The lock is a file beside it.
    """
    lock = _lock_path(folder)
    try:
        with FileLock(lock):
            yield
    finally:
        lock.unlink(missing_ok=True)


def remove_stale_folders(target: Path) -> None:
    """Remove the temporary folders that killed runs left beside `target`.

    Parameters
    ----------
    target : Path
        The folder that those runs were writing with `replacing_folder`. A temporary folder that a
        running process has locked with `lock_folder` stays.
    """
    paths = target.parent.glob(f".{target.name}.*")
    # A killed run may have left the lock without its folder.
    folders = {path.with_suffix("") if path.suffix == _LOCK_SUFFIX else path for path in paths}
    for folder in sorted(folders):
        lock = _lock_path(folder)
        try:
            with FileLock(lock, blocking=False):
                shutil.rmtree(folder, ignore_errors=True)
        except Timeout:
            continue
        lock.unlink(missing_ok=True)


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK_SUFFIX)


def _temporary_path(path: Path) -> Path:
    """Return an unused path beside `path`, whose folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
