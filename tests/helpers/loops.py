"""An event loop in a thread, as a client of Dask has one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace


@contextmanager
def client_loop() -> Iterator[SimpleNamespace]:
    """Yield what a client calls its loop; what still runs in it at the end is cancelled."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield SimpleNamespace(asyncio_loop=loop)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
