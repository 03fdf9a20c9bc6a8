"""Links that the workers of a cluster fetch, each piece of them with its own threads."""

import queue
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass

from amlc.catalog.links import Link
from amlc.execution.backend import Backend, open_pool
from amlc.images.decode import pillow_warning_filters
from amlc.images.fetch_result import FetchError, FetchResult
from amlc.images.pool import FetchPool, Finished
from amlc.images.settings import FetchSettings, ImageSettings
from amlc.images.store import Store

# Links of a piece: a worker that is lost costs no more than that many requests.
PIECE_LINKS = 250


@dataclass(frozen=True)
class Fetched:
    """What a worker returns for a piece.

    Parameters
    ----------
    finished : list of Finished
        One for each link.
    kept : dict of str to FetchResult
        What belongs into the store: pictures, and failures that are final.
    given_up : dict of str to FetchError
        Hosts that were given up, and why.
    """

    finished: list[Finished]
    kept: dict[str, FetchResult]
    given_up: dict[str, FetchError]


class RemoteFetchPool:
    """Has links fetched by workers; it is used like `amlc.images.pool.FetchPool`.

    Parameters
    ----------
    settings, fetching, store
        As for `FetchPool`; the store stays in this process. The workers share the threads and the
        connections to each host that `fetching` allows.
    backend : Backend
        The workers.
    """

    def __init__(
        self, settings: ImageSettings, fetching: FetchSettings, store: Store, backend: Backend
    ) -> None:
        self._store = store
        self._context = ExitStack()
        share = shared_out(fetching, backend.width(None))
        self._pool = self._context.enter_context(
            open_pool(backend, (settings, share), at_once=None, unit="batch of links")
        )
        self._collecting: list[tuple[str, Link]] = []
        self._under_way: queue.SimpleQueue[Future[Fetched]] = queue.SimpleQueue()
        self._finished: list[Finished] = []
        self._given_up: dict[str, FetchError] = {}

    def close(self) -> None:
        """Cancel the pieces that have not started."""
        self._context.close()

    def submit(self, text: str, link: Link) -> None:
        """Add a link to the next piece; its result comes from `next_finished`."""
        self._collecting.append((text, link))
        if len(self._collecting) == PIECE_LINKS:
            self._start()

    def next_finished(self) -> Finished:
        """Wait until another link is finished, and return it.

        Raises
        ------
        ImageError
            The store can no longer be written.
        ExecutionError
            A piece could not be computed.
        """
        while not self._finished:
            if self._collecting:
                self._start()
            fetched = self._under_way.get().result()
            for link, result in fetched.kept.items():
                self._store.put(link, result)
            self._finished += fetched.finished
            self._given_up |= fetched.given_up
        return self._finished.pop()

    def pop_given_up(self) -> dict[str, FetchError]:
        """Return the hosts that were given up since the last call, and why."""
        given_up, self._given_up = self._given_up, {}
        return given_up

    def _start(self) -> None:
        links, self._collecting = self._collecting, []
        # In the order in which they end, so that no piece waits for a slow one before it.
        self._pool.submit(fetch_piece, links).add_done_callback(self._under_way.put)


def shared_out(fetching: FetchSettings, workers: int) -> FetchSettings:
    """Return one worker's share of the threads and of the connections to each host.

    Parameters
    ----------
    fetching : FetchSettings
        The section `fetching`.
    workers : int
        The number of workers.
    """
    share = {
        name: max(getattr(fetching, name) // max(workers, 1), 1) for name in ("workers", "per_host")
    }
    return fetching.model_copy(update=share)


def fetch_piece(
    inputs: tuple[ImageSettings, FetchSettings], links: Sequence[tuple[str, Link]]
) -> Fetched:
    """Fetch some links in threads of this worker.

    Parameters
    ----------
    inputs : (ImageSettings, FetchSettings)
        The sections `images` and `fetching`.
    links : sequence of (str, Link)
        As for `FetchPool.submit`.
    """
    kept: dict[str, FetchResult] = {}
    with pillow_warning_filters(), closing(FetchPool(*inputs, kept.__setitem__)) as pool:
        for text, link in links:
            pool.submit(text, link)
        finished = [pool.next_finished() for _ in links]
        return Fetched(finished, kept, pool.pop_given_up())
