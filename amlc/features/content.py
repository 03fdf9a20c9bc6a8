"""The content block: texts and pictures of products, for models that read them themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from amlc.arrays import Objects, Rows
from amlc.catalog.products import LINK, TEXT
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
        The content of a JPEG file, or None; with a folder, the link to a picture instead, empty
        where a product has none.
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
    def of_products(cls, products: pd.DataFrame, folder: Path) -> Self:
        """Return the content of a product table, whose pictures are in the image shards."""
        texts, links = (products[name].to_numpy(dtype=object) for name in (TEXT, LINK))
        return cls(texts, links, folder)

    @classmethod
    def of_files(cls, texts: Iterable[str], jpegs: Iterable[bytes | None]) -> Self:
        """Return the content of texts and JPEG files."""
        return cls(_objects(texts), _objects(jpegs))

    def jpegs(self) -> list[bytes | None]:
        """Return the JPEG file of each row; None for a product without a picture.

        Raises
        ------
        DataError
            The shards cannot be read, or have no row for a link.
        """
        if self.folder is None:
            return list(self.pictures)
        wanted = set(self.pictures) - {""}
        files: dict[str, bytes | None] = {"": None}
        if wanted:
            for row in read_rows(self.folder):
                if row.link in wanted:
                    files[row.link] = row.data if row.status == OK else None
        if missing := sorted(wanted - files.keys()):
            raise DataError(
                f"{self.folder}: no row for {len(missing)} links: {first_few(missing)}; "
                "run the stage images"
            )
        return [files[link] for link in self.pictures]

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


def _objects(values: Iterable[object]) -> Objects:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
