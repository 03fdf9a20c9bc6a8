"""Request bodies, read within bounds of bytes and time."""

import asyncio

from starlette.requests import Request
from starlette.types import Message, Receive

from amlc.serving.http.limits import Limits
from amlc.serving.http.problems import Problem


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
