"""A picture behind a link comes within the service's limits, or not at all."""

import threading

import pytest

from amlc.images.outcome import (
    ADDRESS_NOT_ALLOWED,
    HOST_NOT_ALLOWED,
    MALFORMED,
    TOO_MANY_BYTES,
    FetchError,
)
from amlc.service.limits import Limits
from amlc.service.products import fetch
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
def test_a_limit_is_kept(limits: dict[str, object], reason: str) -> None:
    """Addresses, bytes and hosts, each for its own reason."""
    with Site({"/a.jpg": page(bytes(1_001))}) as site, pytest.raises(FetchError, match=reason):
        fetch(site.url("/a.jpg"), Limits.model_validate(limits))


def test_a_link_that_is_none_is_a_fault() -> None:
    """Whatever was written."""
    with pytest.raises(FetchError, match=MALFORMED):
        fetch("file:///etc/hostname", Limits())


def test_nothing_is_left_behind() -> None:
    """Neither a thread nor a connection: a service fetches for as long as it lives."""
    with Site({"/a.jpg": page(jpeg())}) as site:
        before = {thread.name for thread in threading.enumerate()}
        assert fetch(site.url("/a.jpg"), Limits.model_validate(OPEN)) == jpeg()
        after = {thread.name for thread in threading.enumerate()}
    assert "watchdog" not in after - before
