"""Groups of products that are the same or nearly so: they stay on one side of every split."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from amlc.catalog.content import normalised_title, title_of


def product_groups(texts: Iterable[str], links: Iterable[str]) -> NDArray[np.int32]:
    """Return the group of each product.

    Parameters
    ----------
    texts : iterable of str, n values
        catalog_content.
    links : iterable of str, n values
        Image links.

    Returns
    -------
    ndarray of int32, shape (n,)
        Products that share a link or a normalised title are in one group, and so are those that
        a chain of such pairs connects. Groups are numbered from 0 by their first product.

    Examples
    --------
    >>> product_groups(["Item Name: Tea", "Item Name: TEA!", "Item Name: Oil"], ["a", "b", "b"])
    array([0, 0, 0], dtype=int32)
    """
    titles = [normalised_title(title_of(text)) for text in texts]
    return linked_groups([titles, list(links)])


def linked_groups(keys: list[list[str]]) -> NDArray[np.int32]:
    """Return the connected components of rows that have a key in common.

    Parameters
    ----------
    keys : list of list of str
        Several kinds of key, each with one value per row; an empty key joins nothing.

    Returns
    -------
    ndarray of int32, shape (n,)
        Numbered from 0 by first row.
    """
    rows, nodes = [], []
    size = count = len(keys[0])
    for values in keys:
        # Rows and keys are the two sides of one graph; a key's node comes after all rows.
        codes, known = pd.factorize(np.asarray(values, dtype=object))
        filled = np.flatnonzero(np.array([value != "" for value in values], dtype=np.bool_))
        rows.append(filled)
        nodes.append(codes[filled] + size)
        size += len(known)
    edges = (np.concatenate(rows), np.concatenate(nodes))
    graph = sparse.coo_array((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return pd.factorize(labels[:count])[0].astype(np.int32)
