"""The content block: texts and pictures of products, for models that read them themselves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from amlc.arrays import Objects, Rows
from amlc.errors import DataError, first_few
from amlc.features.block import Block
from amlc.features.blocks import Blocks
from amlc.images.fetch_result import OK
from amlc.images.shards import read_rows

# The name of the block among `Blocks`.
NAME = "content"


@dataclass(frozen=True)
class Content(Block):
    """Texts and pictures of products; nothing of a picture is read before `jpegs` asks for it.

    Parameters
    ----------
    texts : ndarray of object, shape (n,)
        The column ``catalog_content``; empty where a product has no text.
    pictures : ndarray of object, shape (n,)
        Each product's JPEG files, a tuple; with a folder, the links to them instead.
    folder : Path, optional
        The image shards that hold the links' pictures.
    """

    suffix = ""
    by_row = ("texts", "pictures")

    texts: Objects
    pictures: Objects
    folder: Path | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        return len(self.texts), 2

    @classmethod
    def of_links(cls, texts: Iterable[str], links: Iterable[Sequence[str]], folder: Path) -> Self:
        """Return the content of texts and of links to pictures in the image shards.

        Parameters
        ----------
        texts : iterable of str
        links : iterable of sequence of str
            As `amlc.catalog.products.links_of` returns them.
        folder : Path
            ``data/images``.
        """
        named = (tuple(link for link in each if link) for each in links)
        return cls(_objects(texts), _objects(named), folder)

    @classmethod
    def of_files(cls, texts: Iterable[str], jpegs: Iterable[Sequence[bytes | None]]) -> Self:
        """Return the content of texts and of each product's JPEG files; None is left out."""
        return cls(_objects(texts), _objects(_present(each) for each in jpegs))

    def jpegs(self) -> list[tuple[bytes, ...]]:
        """Return the JPEG files of each row, in the order of the catalogue.

        Raises
        ------
        DataError
            The shards cannot be read, or have no row for a link.
        """
        if self.folder is None:
            return list(self.pictures)
        wanted = {link for links in self.pictures for link in links}
        files: dict[str, bytes | None] = {}
        if wanted:
            for row in read_rows(self.folder):
                if row.link in wanted:
                    files[row.link] = row.data if row.status == OK else None
        if missing := sorted(wanted - files.keys()):
            raise DataError(
                f"{self.folder}: no row for {len(missing)} links: {first_few(missing)}; "
                "run the stage images"
            )
        return [_present(files[link] for link in links) for links in self.pictures]

    def take(self, rows: Rows) -> Self:
        """Return the given rows, in the given order."""
        return type(self)(self.texts[rows], self.pictures[rows], self.folder)

    def write(self, path: Path) -> None:
        """Refuse: the product table and the image shards hold the content."""
        raise NotImplementedError(path)

    @classmethod
    def _read(cls, path: Path) -> Self:
        raise NotImplementedError(path)


def content_of(blocks: Blocks) -> Content | None:
    """Return the content among blocks, or None."""
    block = blocks.get(NAME)
    return block if isinstance(block, Content) else None


def _present(files: Iterable[bytes | None]) -> tuple[bytes, ...]:
    return tuple(file for file in files if file is not None)


def _objects(values: Iterable[object]) -> Objects:
    # Tuples of one length would otherwise become a table.
    return np.fromiter(values, dtype=object)
