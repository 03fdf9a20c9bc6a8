"""Which smaller renditions of pictures are asked for; test_download.py tests the pool itself."""

import pytest

from amlc.catalog.links import Link
from amlc.images.pool import thumbnail


@pytest.mark.parametrize(
    ("target", "smaller"),
    [
        ("/images/I/71a.jpg", "/images/I/71a._SL512_.jpg"),
        ("/71a._AC_SL1500_.jpg", None),
        ("/71a", None),
        ("/.jpg", None),
        ("/71a.jpg?x=1", None),
    ],
)
def test_a_smaller_rendition_needs_a_plain_name(target: str, smaller: str | None) -> None:
    """A name that already has a size mark, or no extension, has no smaller rendition."""
    rendition = thumbnail(Link("https", "a.com", 443, target), 256)
    assert (rendition.target if rendition else None) == smaller
