"""Where the command finds the pictures of its rows."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from amlc.images import links as image_links
from amlc.images.download import download
from amlc.images.mirror import Mirror
from amlc.images.outcome import OK, Fault
from amlc.images.settings import ImageSettings
from amlc.images.shards import read_rows
from amlc.serving.bundle import PictureSettings
from amlc.serving.pricer import reduced


@dataclass(frozen=True)
class Found:
    """What there is behind a link.

    Parameters
    ----------
    picture : bytes, optional
        As the image shards hold it.
    reason : str
        Why there is none; empty where there is one.
    """

    picture: bytes | None
    reason: str = ""


class Pictures(Protocol):
    """Finds the pictures of some links."""

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return what there is behind each link; nothing, without a reason, for an empty one."""
        ...


class NoPictures:
    """Looks for no picture at all."""

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return nothing, without blaming a row for it."""
        return [Found(None) for _ in links]


class FolderPictures:
    """Takes pictures from a folder, where they are named by the last part of their link.

    Parameters
    ----------
    folder : Path
        The folder.
    links : iterable of str
        All links to come. A name that two of them claim belongs to neither.
    limits : PictureSettings
        What a picture may be.

    Raises
    ------
    ImageError
        There is no such folder.
    """

    def __init__(self, folder: Path, links: Iterable[str], limits: PictureSettings) -> None:
        self._limits = limits
        # Raises where there is no folder.
        Mirror(str(folder), ())
        stems = {path.stem for path in folder.iterdir()}
        # Few of many links are kept: those that may have a file.
        self._mirror = Mirror(str(folder), {link for link in links if _may_be(link, stems)})
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return the folder's pictures, checked and reduced."""
        return list(self._pool.map(self._one, links))

    def _one(self, link: str) -> Found:
        try:
            path = self._mirror.find(image_links.parse(link))
            if path is None:
                return Found(None, "no picture in the folder")
            with path.open("rb") as stream:
                # One byte more than allowed, so that too many can be told.
                body = stream.read(self._limits.max_bytes + 1)
            return Found(reduced(body, self._limits))
        except Fault as fault:
            # A row without a good link says so itself.
            return Found(None, f"picture not used: {fault.reason}" if link else "")
        except OSError as error:
            return Found(None, f"picture not used: {error.strerror}")


class DownloadedPictures:
    """Downloads pictures as the pipeline does, into the same store.

    Parameters
    ----------
    settings : ImageSettings
        As for the pipeline.
    store : Path
        See `amlc.images.store`.
    """

    def __init__(self, settings: ImageSettings, store: Path) -> None:
        self._settings = settings
        self._store = store

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return what the store has or the network gives."""
        wanted = sorted({link for link in links if link})
        if not wanted:
            return [Found(None) for _ in links]
        with tempfile.TemporaryDirectory(prefix="amlc-pictures-") as name:
            folder = Path(name)
            download(wanted, self._settings, self._store, folder)
            found = {
                row.link: Found(row.data)
                if row.status == OK
                else Found(None, f"picture not used: {row.reason}")
                for row in read_rows(folder)
            }
        return [found[link] if link else Found(None) for link in links]


def _may_be(link: str, stems: set[str]) -> bool:
    """Return whether a folder with files of these names may hold the picture of a link."""
    try:
        names = image_links.file_names(image_links.parse(link))
    except Fault:
        return False
    return any(Path(name).stem in stems for name in names)
