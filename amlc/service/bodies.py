"""Request bodies within bounds of bytes and time; a CSV is checked and kept in a temporary file."""

import asyncio
import codecs
import tempfile
from typing import IO

from starlette.requests import Request
from starlette.types import Message, Receive

from amlc.catalog.reading import LINE_LIMIT
from amlc.service.limits import Limits
from amlc.service.problems import Problem


def bounded(request: Request, most: int, limits: Limits) -> Request:
    """Return the same request, but one whose body is bounded while it is read.

    Parameters
    ----------
    request : Request
    most : int
        Bytes of the body.
    limits : Limits
        How long the body may take, as a whole and between two of its parts.

    Raises
    ------
    Problem
        413 where the body declares more bytes; reading raises it too, or 408.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    return Request(request.scope, _bounded(request.receive, most, limits))


def _bounded(receive: Receive, most: int, limits: Limits) -> Receive:
    until = asyncio.get_running_loop().time() + limits.upload_seconds
    left = most

    async def receiving() -> Message:
        nonlocal left
        wait = min(limits.idle_seconds, until - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(max(0.0, wait)):
                message = await receive()
        except TimeoutError:
            raise Problem(408, "The request's body came too slowly; send it again.") from None
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large(most)
        return message

    return receiving


def _too_large(most: int) -> Problem:
    return Problem(413, f"The request's body is too large: at most {most:,} bytes are taken.")


_MEMORY_BYTES = 1_000_000


class _Check:
    """Whether the bytes so far are UTF-8 text in lines of bounded length."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line = 1
        self._length = 0

    def add(self, part: bytes, *, final: bool = False) -> None:
        try:
            self._decoder.decode(part, final=final)
        except UnicodeDecodeError as error:
            # A character that began in the part before may make this one line too many.
            line = self._line + part.count(b"\n", 0, error.start)
            raise Problem(
                422, f"The CSV is not UTF-8 near line {line}: save it as UTF-8."
            ) from None
        if (nul := part.find(b"\0")) >= 0:
            line = self._line + part.count(b"\n", 0, nul)
            raise Problem(422, f"The CSV is not text: there is a NUL byte near line {line}.")
        self._line += part.count(b"\n")
        end = part.rfind(b"\n")
        self._length = len(part) - end - 1 if end >= 0 else self._length + len(part)
        if self._length > LINE_LIMIT:
            raise Problem(422, f"Line {self._line} is longer than {LINE_LIMIT:,} bytes: no CSV.")


async def spooled(request: Request, limits: Limits) -> IO[bytes]:
    """Read a request's body into a temporary file, which the caller closes.

    An answer cannot begin before the whole CSV is here: a browser takes no answer while it sends.

    Raises
    ------
    Problem
        408, 413, or 422 for what is no UTF-8 text; as soon as it shows.
    """
    check = _Check()
    body = bounded(request, limits.csv_bytes, limits)
    file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    try:
        async for part in body.stream():
            check.add(part)
            await asyncio.to_thread(file.write, part)
        check.add(b"", final=True)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file
