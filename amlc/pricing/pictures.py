"""Where the pictures of a CSV's products come from: a folder, the network, or nowhere."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from amlc.catalog.links import LinkError, parse_link
from amlc.images.download import download
from amlc.images.fetch_result import MALFORMED, OK, FetchError
from amlc.images.mirror import Mirror, file_names
from amlc.images.settings import FetchSettings, ImageSettings, PictureSettings
from amlc.images.shards import read_rows
from amlc.pricing.pricer import reduce_picture


@dataclass(frozen=True)
class LinkedPicture:
    """The picture of a link, or why there is none.

    Parameters
    ----------
    picture : bytes, optional
        A JPEG file as the image shards hold it; None where there is none.
    reason : str
        Why there is none; empty where there is one, or where it was not looked for.
    """

    picture: bytes | None
    reason: str = ""


class PictureSource(Protocol):
    """Finds the pictures of links."""

    def find(self, links: Sequence[str]) -> list[LinkedPicture]:
        """Return the picture of each link; an empty link has none, and no reason."""
        ...


class NoPictures:
    """Finds no pictures, for pricing by text alone."""

    def find(self, links: Sequence[str]) -> list[LinkedPicture]:
        """Return no pictures, and no reasons."""
        return [LinkedPicture(None) for _ in links]


class FolderPictures:
    """Finds pictures in a folder, where they are named by the last part of their link.

    Parameters
    ----------
    folder : Path
        The folder.
    links : iterable of str
        All links that will be looked up. A file that two of them could mean is not used.
    limits : PictureSettings
        Limits and size of a picture.

    Raises
    ------
    ImageError
        The folder does not exist.
    """

    def __init__(self, folder: Path, links: Iterable[str], limits: PictureSettings) -> None:
        self._limits = limits
        # Raises where the folder does not exist.
        Mirror(str(folder), ())
        stems = {path.stem for path in folder.iterdir()}
        # Only the links that may have a file are kept in memory.
        self._mirror = Mirror(str(folder), {link for link in links if _may_have_file(link, stems)})
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def find(self, links: Sequence[str]) -> list[LinkedPicture]:
        """Return the folder's pictures, checked and reduced."""
        return list(self._pool.map(self._find, links))

    def _find(self, link: str) -> LinkedPicture:
        try:
            path = self._mirror.find(parse_link(link))
            if path is None:
                return LinkedPicture(None, "no picture in the folder")
            with path.open("rb") as stream:
                # One byte more than allowed is enough to see that a file is too large.
                body = stream.read(self._limits.max_bytes + 1)
            return LinkedPicture(reduce_picture(body, self._limits))
        except LinkError:
            # A row without a link has a reason of its own.
            return LinkedPicture(None, f"picture not used: {MALFORMED}" if link else "")
        except FetchError as error:
            return LinkedPicture(None, f"picture not used: {error.reason}")
        except OSError as error:
            return LinkedPicture(None, f"picture not used: {error.strerror}")


class DownloadedPictures:
    """Downloads pictures as the pipeline does, through the same store.

    Parameters
    ----------
    settings : ImageSettings
        What they are.
    fetching : FetchSettings
        How to fetch them.
    store : Path
        The file that `amlc.images.store.default_path` names.
    """

    def __init__(self, settings: ImageSettings, fetching: FetchSettings, store: Path) -> None:
        self._settings = settings
        self._fetching = fetching
        self._store = store

    def find(self, links: Sequence[str]) -> list[LinkedPicture]:
        """Return the pictures that the store has or the network gives."""
        distinct = sorted({link for link in links if link})
        if not distinct:
            return [LinkedPicture(None) for _ in links]
        with tempfile.TemporaryDirectory(prefix="amlc-pictures-") as name:
            folder = Path(name)
            download(distinct, self._settings, self._fetching, self._store, folder)
            pictures = {
                row.link: LinkedPicture(row.data)
                if row.status == OK
                else LinkedPicture(None, f"picture not used: {row.reason}")
                for row in read_rows(folder)
            }
        return [pictures[link] if link else LinkedPicture(None) for link in links]


def _may_have_file(link: str, stems: set[str]) -> bool:
    """Return whether a folder with files of these stems may have the picture of a link."""
    try:
        names = file_names(parse_link(link))
    except LinkError:
        return False
    return any(Path(name).stem in stems for name in names)
