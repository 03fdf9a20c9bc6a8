"""The mirror: a folder of pictures that the user already has."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from amlc.catalog.links import LOCAL, Link, LinkError, parse_link
from amlc.errors import ImageError

_EXTENSIONS = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".gif")


def mirror_folder(setting: str | None) -> str | None:
    """Return `images.mirror`; where it is null, the folder that `AMLC_MIRROR` names, if any."""
    return setting if setting is not None else os.environ.get("AMLC_MIRROR") or None


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
        # The names of the files whose letters are the same, apart from their case.
        self._alike: dict[str, list[str]] = {}
        # How many links fit a name, a name apart from case, and such a name without extension.
        self._claims: Counter[str] = Counter()
        self._folded_claims: Counter[str] = Counter()
        self._stem_claims: Counter[str] = Counter()
        if self._folder is None:
            return
        try:
            self._names = frozenset(path.name for path in self._folder.iterdir() if path.is_file())
        except OSError as error:
            raise ImageError(
                f"images.mirror or AMLC_MIRROR: {self._folder}: {error.strerror}; "
                "give a folder, or null"
            ) from None
        for name in sorted(self._names):
            self._alike.setdefault(_folded(name), []).append(name)
        stems = _stems(self._alike)
        # Two texts can be one link, which has the right to its file.
        for link in {link for text in links for link in _parsed(text) if stems & _link_stems(link)}:
            names = file_names(link)
            folded = {_folded(name) for name in names}
            self._claims.update(names)
            self._folded_claims.update(folded)
            self._stem_claims.update(_stems(folded))

    @property
    def exists(self) -> bool:
        """Whether there is a folder."""
        return self._folder is not None

    @property
    def ambiguous(self) -> int:
        """The number of file names in the folder that fit two or more links."""
        return sum(
            (self._claims[name] or self._folded_claims[_folded(name)]) > 1 for name in self._names
        )

    def find(self, link: Link) -> Path | None:
        """Return the file of a link's picture, or None.

        The file may have another extension than the link, and capitals for small letters; the more
        exact name counts. A picture that the catalogue gives by its path is looked for at this path
        below the folder. Only names that were listed in the folder are joined to it, so that no
        link can lead outside.
        """
        if self._folder is None:
            return None
        if link.host == LOCAL:
            return self._find_path(unquote(link.target.partition("?")[0]))
        names = file_names(link)
        for name in names:
            if self._claims[name] == 1 and name in self._names:
                return self._folder / name
        folded = list(dict.fromkeys(map(_folded, names)))
        alike = [name for name in folded if self._folded_claims[name] == 1]
        converted = [
            stem + extension
            for stem in sorted(_stems(folded))
            if self._stem_claims[stem] == 1
            for extension in _EXTENSIONS
        ]
        for name in alike + converted:
            files = self._alike.get(name, [])
            # Where two files differ only in case, neither is known to be the picture.
            if len(files) == 1:
                return self._folder / files[0]
        return None

    def _find_path(self, target: str) -> Path | None:
        """Return the file at a path below the folder, or None; nothing leads outside of it."""
        assert self._folder is not None
        parts = [part for part in target.split("/") if part]
        if not parts or not all(map(_is_plain_name, parts)):
            return None
        try:
            path = self._folder.joinpath(*parts).resolve()
            is_inside = path.is_relative_to(self._folder.resolve())
            return path if is_inside and path.is_file() else None
        except (OSError, RuntimeError):
            return None


def _folded(name: str) -> str:
    """Return a name without the differences that file systems make: case, and Unicode's forms."""
    return unicodedata.normalize("NFC", name).casefold()


def _stems(names: Iterable[str]) -> set[str]:
    return {Path(name).stem for name in names}


def _link_stems(link: Link) -> set[str]:
    return _stems(map(_folded, file_names(link)))


def _parsed(text: str) -> list[Link]:
    try:
        return [parse_link(text)]
    except LinkError:
        return []


def file_names(link: Link) -> list[str]:
    """Return the file names, never paths, that the link's picture may have in a folder.

    Tools such as wget keep the query in the name of a file, after ``?`` or, for Windows, ``@``.

    Examples
    --------
    >>> file_names(parse_link("https://a.com/I/21Rv+jEL.jpg?x=/y.jpg"))
    ['21Rv+jEL.jpg?x=%2Fy.jpg', '21Rv+jEL.jpg@x=%2Fy.jpg', '21Rv+jEL.jpg']
    >>> file_names(parse_link("https://a.com/b/.."))
    []
    """
    path, _, query = link.target.partition("?")
    segment = path.rpartition("/")[2]
    names = [unquote(segment), segment]
    if query:
        tails = [part.replace("/", "%2F") for part in (unquote(query), query)]
        names = [f"{name}{mark}{tail}" for mark in "?@" for name in names for tail in tails] + names
    return [name for name in dict.fromkeys(names) if _is_plain_name(name)]


def _is_plain_name(name: str) -> bool:
    return name not in {"", ".", ".."} and len(name) <= 255 and not re.search(r"[\x00/\\]", name)
