"""Pictures are fetched from links within the limits of the service."""

import threading

import pytest

from amlc.catalog.links import parse_link
from amlc.images.fetch_result import (
    ADDRESS_NOT_ALLOWED,
    HOST_NOT_ALLOWED,
    TOO_MANY_BYTES,
    FetchError,
)
from amlc.service.limits import Limits
from amlc.service.price_service import fetch
from tests.helpers.pictures import jpeg
from tests.helpers.site import Site, page

OPEN = {"private_hosts": ["127.0.0.1"]}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({}, ADDRESS_NOT_ALLOWED),
        ({**OPEN, "image_bytes": 1_000}, TOO_MANY_BYTES),
        ({"image_hosts": ["cdn.com"]}, HOST_NOT_ALLOWED),
    ],
)
def test_a_picture_beyond_a_limit_is_refused(limits: dict[str, object], reason: str) -> None:
    """Addresses, sizes and hosts that are not allowed have their own reasons."""
    with Site({"/a.jpg": page(bytes(1_001))}) as site, pytest.raises(FetchError, match=reason):
        fetch(parse_link(site.url("/a.jpg")), Limits.model_validate(limits))


def test_fetching_leaves_no_thread_behind() -> None:
    """The threads of a fetch end with it, because a service runs for long."""
    with Site({"/a.jpg": page(jpeg())}) as site:
        before = {thread.name for thread in threading.enumerate()}
        assert fetch(parse_link(site.url("/a.jpg")), Limits.model_validate(OPEN)) == jpeg()
        after = {thread.name for thread in threading.enumerate()}
    assert "watchdog" not in after - before
