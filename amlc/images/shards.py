"""The folder of Parquet shards that holds one row per distinct link."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from amlc.errors import CheckError, DataError, first_few
from amlc.images.outcome import Outcome, Picture

SCHEMA = pa.schema(
    [
        pa.field("link", pa.string(), nullable=False),
        # "ok" or "placeholder".
        pa.field("status", pa.string(), nullable=False),
        # Empty where the status is ok.
        pa.field("reason", pa.string(), nullable=False),
        pa.field("tries", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        # An RGB picture as JPEG; grey for a placeholder.
        pa.field("bytes", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One row of a shard.

    Parameters
    ----------
    link : str
        As in the product table.
    status : str
        ``"ok"`` or ``"placeholder"``.
    reason : str
        Why it is a placeholder; empty where it is ok.
    tries : int
        Tries that failed before the link was given up; 0 where it is ok.
    width, height : int
        Pixels of the picture in `data`.
    data : bytes
        The picture, a JPEG file.
    """

    link: str
    status: str
    reason: str
    tries: int
    width: int
    height: int
    data: bytes


def write_shard(
    folder: Path, index: int, links: Sequence[str], outcomes: Sequence[Outcome], grey: Picture
) -> None:
    """Write one shard; the same rows give the same bytes.

    Parameters
    ----------
    folder : Path
        Where to; it exists.
    index : int
        The shard's number, from 0.
    links, outcomes : sequence
        The rows.
    grey : Picture
        What a placeholder shows.
    """
    pictures = [outcome.picture or grey for outcome in outcomes]
    columns = [
        list(links),
        [outcome.status for outcome in outcomes],
        [outcome.reason for outcome in outcomes],
        [outcome.tries for outcome in outcomes],
        [picture.width for picture in pictures],
        [picture.height for picture in pictures],
        [picture.data for picture in pictures],
    ]
    both = zip(columns, SCHEMA, strict=True)
    arrays = [pa.array(column, type=field.type) for column, field in both]
    # JPEG files do not compress, and their statistics would repeat whole pictures.
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=SCHEMA),
        folder / f"shard-{index:05d}.parquet",
        compression="none",
        use_dictionary=["status", "reason"],
        write_statistics=["link"],
    )


def shard_paths(folder: Path) -> list[Path]:
    """Return a folder's shards in the order of their links.

    Raises
    ------
    DataError
        The folder is missing or holds no shard.
    """
    paths = sorted(folder.glob("shard-*.parquet"))
    if not paths:
        raise DataError(f"{folder}: no image shards there; run the stage images")
    return paths


def read_rows(folder: Path, *, batch: int = 64) -> Iterator[ImageRow]:
    """Yield the rows of all shards, sorted by link, a few in memory at a time.

    Parameters
    ----------
    folder : Path
        ``data/images``.
    batch : int
        Rows held in memory at once.

    Yields
    ------
    ImageRow

    Raises
    ------
    DataError
        The folder is missing, or a shard cannot be read.
    """
    for path in shard_paths(folder):
        try:
            with pq.ParquetFile(path) as shard:
                for rows in shard.iter_batches(batch_size=batch, columns=SCHEMA.names):
                    columns = [column.to_pylist() for column in rows.columns]
                    yield from (ImageRow(*values) for values in zip(*columns, strict=True))
        except (OSError, KeyError, pa.ArrowInvalid) as error:
            raise DataError(f"{path}: cannot be read as an image shard: {error}") from None


def read_status(folder: Path) -> pa.Table:
    """Read every column but the pictures, of all shards, as one table."""
    names = [name for name in SCHEMA.names if name != "bytes"]
    return pa.concat_tables(pq.read_table(path, columns=names) for path in shard_paths(folder))


def read_statuses(folder: Path) -> dict[str, str]:
    """Return the status of every link: ``"ok"`` or ``"placeholder"``."""
    table = read_status(folder)
    both = zip(table.column("link").to_pylist(), table.column("status").to_pylist(), strict=True)
    return dict(both)


def check_links(folder: Path, links: Sequence[str]) -> None:
    """Check that the shards hold exactly one row for each link, in sorted order.

    Parameters
    ----------
    folder : Path
        The shards.
    links : sequence of str
        The distinct links of the product table.

    Raises
    ------
    CheckError
        A link has no row, a row too many, or a row has no product.
    """
    found: list[str] = read_status(folder).column("link").to_pylist()
    expected = sorted(links)
    if found == expected:
        return
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    repeated = len(found) - len(set(found))
    raise CheckError(
        f"{folder}: {len(missing)} links without an image row ({first_few(missing)}), "
        f"{len(extra)} rows without a product ({first_few(extra)}), {repeated} repeated rows; "
        "run the stage images again"
    )
