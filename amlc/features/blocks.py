"""Feature blocks: what a model sees, one row per product in the product table's order."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from amlc.errors import DataError
from amlc.features.columns import Tabular, read_tabular
from amlc.features.neighbours import Neighbours, read_neighbours

Floats32 = NDArray[np.float32]
BlockName = Literal["tabular", "terms", "topics", "vision", "neighbours"]


@dataclass(frozen=True)
class Blocks:
    """The feature blocks of some products; a block that was not asked for is None.

    Parameters
    ----------
    tabular : Tabular, optional
        Numbers, categories and keys.
    terms : csr_array of float32, shape (n, terms), optional
        TF-IDF.
    topics : ndarray of float32, shape (n, components), optional
        Truncated SVD of the terms.
    vision : ndarray of float32, shape (n, descriptors), optional
        Image descriptors.
    neighbours : Neighbours, optional
        The train products with the most similar text.
    """

    tabular: Tabular | None = None
    terms: sp.csr_array | None = None
    topics: Floats32 | None = None
    vision: Floats32 | None = None
    neighbours: Neighbours | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        for field in fields(self):
            block = getattr(self, field.name)
            if block is not None:
                return int(block.shape[0])
        return 0

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return the same blocks for some rows, in the order given."""
        return type(self)(
            tabular=None if self.tabular is None else self.tabular.take(rows),
            terms=None if self.terms is None else self.terms[rows],
            topics=None if self.topics is None else self.topics[rows],
            vision=None if self.vision is None else self.vision[rows],
            neighbours=None if self.neighbours is None else self.neighbours.take(rows),
        )


def read_blocks(folder: Path, names: list[BlockName]) -> Blocks:
    """Read some blocks from ``data/features``.

    Parameters
    ----------
    folder : Path
        Holds ``tabular.parquet``, ``terms.npz``, ``topics.npy``, ``vision.npy``,
        ``neighbours.npz``.
    names : list of str
        Which blocks.

    Raises
    ------
    DataError
        A file is missing or unreadable, or two blocks differ in their number of rows.
    """
    blocks: dict[str, Any] = {name: _read(folder, name) for name in names}
    counts = {name: block.shape[0] for name, block in blocks.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"{folder}: blocks differ in their number of rows: {counts}")
    return Blocks(**blocks)


def read_terms(path: Path) -> sp.csr_array:
    """Read the terms block."""
    try:
        return sp.csr_array(sp.load_npz(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage terms") from None


def _read_array(path: Path) -> Floats32:
    try:
        block: Floats32 = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        stage = path.stem
        raise DataError(f"{path}: cannot be read: {error}; run the stage {stage}") from None
    return block


_READERS: dict[BlockName, tuple[str, Callable[[Path], Any]]] = {
    "tabular": ("tabular.parquet", read_tabular),
    "terms": ("terms.npz", read_terms),
    "topics": ("topics.npy", _read_array),
    "vision": ("vision.npy", _read_array),
    "neighbours": ("neighbours.npz", read_neighbours),
}


def _read(folder: Path, name: BlockName) -> Any:
    file, reader = _READERS[name]
    return reader(folder / file)
