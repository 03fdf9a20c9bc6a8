"""A download in a separate process, which a test can kill."""

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

from amlc.images.download import download
from amlc.images.settings import FetchSettings, ImageSettings


def start(
    links: list[str], settings: tuple[ImageSettings, FetchSettings], store: Path, folder: Path
) -> BaseProcess:
    """Start a download, forked from a server process that has already imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.helpers.killed"])
    process = context.Process(target=download, args=(links, *settings, store, folder))
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """Kill a process with SIGKILL, as the system does when memory runs out."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
