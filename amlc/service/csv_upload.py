"""An uploaded CSV: received within bounds, checked to its end, then read row by row."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from starlette.requests import Request

from amlc.catalog.reading import ByteCheck
from amlc.catalog.rows import ProductRows, read_rows
from amlc.errors import DataError
from amlc.service.problems import Problem

_NAME = "the CSV"
# A larger CSV is kept on disk.
_MEMORY_BYTES = 1_000_000


@contextmanager
def _data_errors_as_problems() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


async def receive_csv(request: Request) -> IO[bytes]:
    """Receive the body of a request in a temporary file, which the caller closes.

    The response cannot begin before the whole CSV is here: a browser does not read a response
    while it is still sending.

    Raises
    ------
    Problem
        408, 413, or 422 for a NUL or an endless line; as soon as that is clear.
    """
    check = ByteCheck(_NAME)
    file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    try:
        with _data_errors_as_problems():
            async for part in request.stream():
                check.add(part)
                await asyncio.to_thread(file.write, part)
    except BaseException:
        file.close()
        raise
    return file


def count_rows(file: IO[bytes], max_rows: int) -> int:
    """Return the number of products of a CSV, after checking it to its end.

    Raises
    ------
    Problem
        422 for a file that is not a CSV of products, for no rows, and for broken quoting, which
        joins rows; 413 for more than `max_rows` products.
    """
    count = 0
    with open_csv(file) as rows:
        for count, _ in enumerate(rows.records, 1):
            if count > max_rows:
                raise Problem(413, f"The CSV has too many rows: at most {max_rows:,} are allowed.")
    if not count:
        raise Problem(422, "The CSV has a header but no rows.")
    return count


@contextmanager
def open_csv(file: IO[bytes]) -> Iterator[ProductRows]:
    """Read the products of a CSV from its beginning; its errors are raised as `Problem` 422."""
    file.seek(0)
    with (
        _data_errors_as_problems(),
        read_rows(file, _NAME, links=False, strict=True) as rows,
    ):
        yield rows
