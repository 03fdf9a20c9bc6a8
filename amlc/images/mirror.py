"""The mirror: a folder of pictures that the user already has."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from amlc.catalog.links import Link, LinkError, parse_link
from amlc.errors import ImageError

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".gif")


class Mirror:
    """Finds the picture of a link by the link's file name.

    The pictures are read and decoded again in every run, and never copied into the store: the
    folder is the user's, and its files may change between runs.

    Parameters
    ----------
    folder : str, optional
        The folder; None for no mirror.
    links : iterable of str
        All links of the run, which may be repeated; those that may have a file are kept in memory.
        A file name that fits two different links is used for neither.

    Raises
    ------
    ImageError
        The folder cannot be read.
    """

    def __init__(self, folder: str | None, links: Iterable[str]) -> None:
        self._folder = Path(folder) if folder is not None else None
        self._names: frozenset[str] = frozenset()
        self._claims: Counter[str] = Counter()
        self._stem_claims: Counter[str] = Counter()
        if self._folder is None:
            return
        try:
            self._names = frozenset(path.name for path in self._folder.iterdir() if path.is_file())
        except OSError as error:
            raise ImageError(
                f"images.mirror: {self._folder}: {error.strerror}; give a folder, or null"
            ) from None
        stems = _stems(self._names)
        for link in {link for link in links if stems & _stems(_names(link))}:
            names = _names(link)
            self._claims.update(names)
            self._stem_claims.update(_stems(names))

    @property
    def ambiguous(self) -> int:
        """The number of file names in the folder that fit two or more links."""
        return sum(1 for name in self._names if self._claims[name] > 1)

    def find(self, link: Link) -> Path | None:
        """Return the file of a link's picture, or None.

        The file may have another extension than the link. Only names that were listed in the
        folder are joined to it, so that no link can lead outside.
        """
        if self._folder is None:
            return None
        names = file_names(link)
        exact = (name for name in names if self._claims[name] == 1)
        converted = (
            stem + extension
            for stem in sorted(_stems(names))
            if self._stem_claims[stem] == 1
            for extension in _EXTENSIONS
        )
        name = next((name for name in (*exact, *converted) if name in self._names), None)
        return self._folder / name if name is not None else None


def _stems(names: Iterable[str]) -> set[str]:
    return {Path(name).stem for name in names}


def _names(link: str) -> list[str]:
    try:
        return file_names(parse_link(link))
    except LinkError:
        return []


def file_names(link: Link) -> list[str]:
    """Return the file names, never paths, that the link's picture may have in a folder.

    Examples
    --------
    >>> file_names(parse_link("https://a.com/I/21Rv+jEL.jpg?x=/y.jpg"))
    ['21Rv+jEL.jpg']
    >>> file_names(parse_link("https://a.com/b/.."))
    []
    """
    segment = link.target.partition("?")[0].rpartition("/")[2]
    names = dict.fromkeys([unquote(segment), segment])
    return [name for name in names if _is_plain_name(name)]


def _is_plain_name(name: str) -> bool:
    return name not in {"", ".", ".."} and len(name) <= 255 and not re.search(r"[\x00/\\]", name)
