"""Image shards: Parquet files with one row per distinct link, and a summary of them."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amlc.errors import CheckError, DataError, first_few, read_errors_as
from amlc.files import replacing
from amlc.images.fetch_result import OK, FetchResult, Picture

SCHEMA = pa.schema(
    [
        pa.field("link", pa.string(), nullable=False),
        # "ok" or "placeholder".
        pa.field("status", pa.string(), nullable=False),
        # Empty if the status is ok.
        pa.field("reason", pa.string(), nullable=False),
        pa.field("tries", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        # An RGB picture as JPEG; grey for a placeholder.
        pa.field("bytes", pa.binary(), nullable=False),
    ]
)

# Rows of a row group, which a writer holds in memory at a time.
ROWS_AT_ONCE = 250


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
        Why it is a placeholder; empty if the status is ok.
    tries : int
        Failed tries before the link was given up; 0 if the status is ok.
    width, height : int
        Pixels of the picture in `data`.
    data : bytes
        Content of the picture's JPEG file.
    """

    link: str
    status: str
    reason: str
    tries: int
    width: int
    height: int
    data: bytes


def write_shard(
    folder: Path, index: int, links: Sequence[str], results: Iterable[FetchResult], grey: Picture
) -> None:
    """Write one shard, with only a few rows in memory; equal rows give equal bytes.

    Parameters
    ----------
    folder : Path
        An existing folder.
    index : int
        The shard's number, from 0.
    links : sequence of str
        The links of the shard, sorted.
    results : iterable of FetchResult
        One for each link.
    grey : Picture
        The picture of a placeholder.
    """
    remaining = iter(results)
    # JPEG files cannot be compressed further, and statistics of their column would repeat pictures.
    with pq.ParquetWriter(
        folder / f"shard-{index:05d}.parquet",
        SCHEMA,
        compression="none",
        use_dictionary=["status", "reason"],
        write_statistics=["link"],
    ) as writer:
        for start in range(0, len(links), ROWS_AT_ONCE):
            batch = links[start : start + ROWS_AT_ONCE]
            writer.write_table(_table(batch, list(itertools.islice(remaining, len(batch))), grey))


def _table(links: Sequence[str], results: Sequence[FetchResult], grey: Picture) -> pa.Table:
    pictures = [result.picture or grey for result in results]
    columns = [
        list(links),
        [result.status for result in results],
        [result.reason for result in results],
        [result.tries for result in results],
        [picture.width for picture in pictures],
        [picture.height for picture in pictures],
        [picture.data for picture in pictures],
    ]
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)


def shard_paths(folder: Path) -> list[Path]:
    """Return the paths of a folder's shards, in the order of their links.

    Raises
    ------
    DataError
        The folder is missing or holds no shard.
    """
    paths = sorted(folder.glob("shard-*.parquet"))
    if not paths:
        raise DataError(f"{folder}: there are no image shards; run the stage images")
    return paths


def read_rows(folder: Path, *, batch: int = 64) -> Iterator[ImageRow]:
    """Yield the rows of all shards, sorted by link, with only a few in memory at a time.

    Parameters
    ----------
    folder : Path
        The shards, ``data/images``.
    batch : int
        Rows held in memory at once.

    Yields
    ------
    ImageRow
        The next row.

    Raises
    ------
    DataError
        The folder is missing, or a shard cannot be read.
    """
    for path in shard_paths(folder):
        with _reading(path), pq.ParquetFile(path) as shard:
            for rows in shard.iter_batches(batch_size=batch, columns=SCHEMA.names):
                columns = [column.to_pylist() for column in rows.columns]
                yield from (ImageRow(*values) for values in zip(*columns, strict=True))


def read_metadata(folder: Path) -> Iterator[pa.Table]:
    """Yield the columns of each shard except the pictures, in the order of the links."""
    names = [name for name in SCHEMA.names if name != "bytes"]
    for path in shard_paths(folder):
        with _reading(path):
            yield pq.read_table(path, columns=names)


def read_statuses(folder: Path) -> dict[str, str]:
    """Return the status of every link: ``"ok"`` or ``"placeholder"``."""
    statuses: dict[str, str] = {}
    for table in read_metadata(folder):
        links, column = table["link"].to_pylist(), table["status"].to_pylist()
        statuses.update(zip(links, column, strict=True))
    return statuses


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
        A link has no row or several rows, or a row belongs to no product.
    """
    expected = sorted(links)
    stored = (link for table in read_metadata(folder) for link in table["link"].to_pylist())
    if all(row == link for row, link in itertools.zip_longest(stored, expected)):
        return
    rows = Counter(link for table in read_metadata(folder) for link in table["link"].to_pylist())
    missing = sorted(set(expected) - set(rows))
    extra = sorted(set(rows) - set(expected))
    repeated = sorted(link for link, count in rows.items() if count > 1)
    raise CheckError(
        f"{folder}: {len(missing)} links without an image row ({first_few(missing)}), "
        f"{len(extra)} rows without a product ({first_few(extra)}), "
        f"{len(repeated)} links with several rows ({first_few(repeated)}); "
        "run the stage images again"
    )


def _reading(path: Path) -> AbstractContextManager[None]:
    return read_errors_as(DataError, f"{path}: cannot be read as an image shard")


# The first line of the list of failures, which is named .txt.
_FAILURES_COMMENT = "# Image links without a picture, as tab-separated values below a header"
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ROWS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all shards.

    Parameters
    ----------
    links : int
        Distinct links.
    ok : int
        Links with a picture.
    by_reason, by_host : Counter of str
        Links without a picture.
    """

    links: int
    ok: int
    by_reason: Counter[str]
    by_host: Counter[str]

    def metrics(self) -> dict[str, object]:
        """Return the content of metrics/images.json."""
        return {
            "links": self.links,
            "ok": self.ok,
            "placeholders": self.links - self.ok,
            "failures": dict(self.by_reason),
        }

    def table(self) -> str:
        """Return the counts as lines of text, the most frequent reasons and hosts first."""
        lines = [f"{self.links} links, {self.ok} ok, {self.links - self.ok} placeholders"]
        for title, counts in (("reason", self.by_reason), ("host", self.by_host)):
            shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_ROWS_SHOWN]
            lines += [f"  {title:6}  {count:8}  {name}" for name, count in shown]
            if len(counts) > _ROWS_SHOWN:
                lines.append(f"  {title:6}  {len(counts) - _ROWS_SHOWN:8}  others")
        if self.links > self.ok:
            lines.append(
                "make images looks again for those that are missing: in the mirror, and on hosts "
                "whose failure may have been temporary"
            )
        return "\n".join(lines)


def summarise(folder: Path, failures: Path) -> Summary:
    """Count the rows of the shards, and write a list of the failures.

    Parameters
    ----------
    folder : Path
        The shards.
    failures : Path
        File to write: below a comment and a header, one line per failure with its link, reason
        and tries, separated by tabs.

    Returns
    -------
    Summary
        The counts.
    """
    links = failed = 0
    by_reason: Counter[str] = Counter()
    by_host: Counter[str] = Counter()
    with replacing(failures) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(f"{_FAILURES_COMMENT}\nlink\treason\ttries\n")
        for table in read_metadata(folder):
            links += table.num_rows
            for row in table.filter(pc.field("status") != OK).to_pylist():
                stream.write(f"{_one_line(row['link'])}\t{row['reason']}\t{row['tries']}\n")
                failed += 1
                by_reason[row["reason"]] += 1
                by_host[_host(row["link"])] += 1
    return Summary(links, links - failed, by_reason, by_host)


def _one_line(link: str) -> str:
    return _CONTROL_CHARACTERS.sub(lambda match: f"\\x{ord(match[0]):02x}", link)


def _host(link: str) -> str:
    try:
        return _one_line(urlsplit(link).hostname or "(none)")
    except ValueError:
        return "(none)"
