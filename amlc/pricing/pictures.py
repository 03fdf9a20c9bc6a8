"""The pictures of a CSV's products: files of a folder, or downloads."""

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from amlc.catalog.links import LinkError, parse_link
from amlc.catalog.rows import Row
from amlc.images.download import fetch_results
from amlc.images.fetch_result import MALFORMED
from amlc.images.mirror import Mirror
from amlc.images.settings import FetchSettings, ImageSettings
from amlc.pricing.estimates import Product, ProductPicture, Reason, ReasonKind

FindPictures = Callable[[Sequence[str]], list[ProductPicture]]


def products_of(rows: Sequence[Row], find: FindPictures) -> list[Product]:
    """Return the products of rows, with all their pictures.

    Parameters
    ----------
    rows : sequence of Row
    find : callable
        Returns the picture of each link.
    """
    links = [(row.link, *row.further_links) for row in rows]
    pictures = iter(find([link for each in links for link in each]))
    products = []
    for row, each in zip(rows, links, strict=True):
        first, *further = islice(pictures, len(each))
        products.append(Product(row.text, first, row.own, row.currency, tuple(further)))
    return products


def find_pictures(links: Sequence[str], mirror: Mirror) -> list[ProductPicture]:
    """Return the file of each link in a folder, or the reason why it has none.

    An empty link has neither, because its row has a reason of its own.
    """
    return [_find(link, mirror) if link else None for link in links]


def _find(link: str, mirror: Mirror) -> ProductPicture:
    try:
        return mirror.find(parse_link(link)) or Reason(ReasonKind.NOT_IN_FOLDER)
    except LinkError:
        return Reason(ReasonKind.PICTURE_NOT_USED, MALFORMED)


def download_pictures(
    links: Sequence[str], settings: ImageSettings, fetching: FetchSettings, store: Path
) -> list[ProductPicture]:
    """Return the picture of each link as the pipeline downloads it, or why it has none.

    An empty link has neither, because its row has a reason of its own.

    Parameters
    ----------
    links : sequence of str
        Links, which may be repeated. Where all are empty, the store is not opened.
    settings, fetching : ImageSettings, FetchSettings
        What pictures are, and how to fetch them.
    store : Path
        The file that `amlc.images.store.default_path` names.
    """
    distinct = sorted({link for link in links if link})
    found: dict[str, ProductPicture] = {}
    if distinct:
        with closing(fetch_results(distinct, settings, fetching, store)) as results:
            for link, result in results:
                not_used = Reason(ReasonKind.PICTURE_NOT_USED, result.reason)
                found[link] = result.picture or not_used
    return [found.get(link) for link in links]
