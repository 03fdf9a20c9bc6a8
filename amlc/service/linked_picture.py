"""Pictures that a request gives as a link: fetched within bounds, a bounded number at once."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

from amlc.catalog.links import LinkError, parse_link
from amlc.images.client import Client
from amlc.images.fetch_result import MALFORMED, FetchError, Retry
from amlc.images.settings import FetchSettings, HostRules
from amlc.service.limits import Limits
from amlc.service.problems import bad_picture, busy


class PictureFetcher:
    """Fetches pictures in threads.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._running = 0
        self._pool = ThreadPoolExecutor(limits.fetches, thread_name_prefix="fetch")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    async def fetch(self, url: str) -> bytes:
        """Return the body behind a link, which need not be a picture.

        Raises
        ------
        Problem
            422 or 413 where it cannot be fetched, 503 where too many are being fetched.
        """
        if self._running >= self._limits.fetches:
            raise busy("Too many pictures are being fetched", 5)
        self._running += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, fetch, url, self._limits)
        except FetchError as error:
            raise bad_picture("image_url", error.reason) from None
        finally:
            self._running -= 1


def fetch(url: str, limits: Limits) -> bytes:
    """Return the body behind a link, which need not be a picture.

    It connects only to public addresses, also after redirects; bytes and time are bounded. Each
    call has its own client, because a service runs for a long time, and resolved addresses and
    connections to unknown hosts must not accumulate.

    Parameters
    ----------
    url : str
        Any text.
    limits : Limits

    Raises
    ------
    FetchError
        The link is malformed or not allowed, or the one try to fetch it failed.
    ImageError
        The CA bundle that the environment names cannot be read.
    """
    try:
        link = parse_link(url)
    except LinkError:
        raise FetchError(MALFORMED, Retry.AFTER_EXPIRY) from None
    seconds = limits.fetch_seconds
    rules = HostRules(allow_hosts=limits.image_hosts, allow_private_hosts=limits.private_hosts)
    fetching = FetchSettings(
        per_host=1,
        connect_seconds=min(5.0, seconds),
        read_seconds=seconds,
        deadline_seconds=seconds,
    )
    with contextlib.closing(Client(rules, limits.image_bytes, fetching)) as client:
        return client.fetch(link).data
