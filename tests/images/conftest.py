"""Fixtures for the tests of the downloader: settings, a certificate authority, a server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from amlc.catalog.links import parse_link
from amlc.images.client import Client
from amlc.images.decode import pillow_warning_filters
from amlc.images.settings import FetchSettings, ImageSettings
from tests.helpers.site import Site

SETTINGS = {
    "size": 64,
    "quality": 90,
    "shard_links": 10,
    "mirror": None,
    "retry_failed": False,
    "remember_days": 30,
    "allow_hosts": [],
    "allow_private_hosts": ["127.0.0.1"],
    "respect_noai": True,
    "thumbnail": False,
    "thumbnail_hosts": ["127.0.0.1"],
    "max_bytes": 1_000_000,
    "max_pixels": 1_000_000,
    "max_side": 65_535,
    "min_side": 8,
    "tries": 1,
}
FETCHING = {
    "workers": 8,
    "per_host": 8,
    "give_up_after": 1000,
    "connect_seconds": 60.0,
    "read_seconds": 60.0,
    "deadline_seconds": 120.0,
    "backoff_seconds": 0.01,
    "retry_after_seconds": 5.0,
    "ca_bundle": None,
    "use_proxy": False,
}


class BothSettings(NamedTuple):
    """What the pictures of a test are, and how they are fetched."""

    images: ImageSettings
    fetching: FetchSettings

    def client(self) -> Client:
        """Return a client with these settings, which the test has to close."""
        return Client(self.images, self.images.max_bytes, self.fetching)


MakeSettings = Callable[..., BothSettings]


@pytest.fixture(autouse=True)
def _pillow_warning_filters() -> Iterator[None]:
    """Filter Pillow's warnings as the stage does."""
    with pillow_warning_filters():
        yield


@pytest.fixture
def make() -> MakeSettings:
    """Return a function that makes settings, with some replaced."""

    def made(**overrides: object) -> BothSettings:
        changes = {name: value for name, value in overrides.items() if name in FETCHING}
        rest = {name: value for name, value in overrides.items() if name not in FETCHING}
        return BothSettings(
            ImageSettings.model_validate({**SETTINGS, **rest}),
            FetchSettings.model_validate({**FETCHING, **changes}),
        )

    return made


@pytest.fixture
def settings(make: MakeSettings) -> BothSettings:
    """Return settings for a loopback server."""
    return make()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return a certificate authority for the tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of the authority's certificate."""
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def site() -> Iterator[Site]:
    """Return a running server without pages."""
    with Site() as running:
        yield running


Fetch = Callable[[str, BothSettings], bytes]


@pytest.fixture
def fetch() -> Iterator[Fetch]:
    """Return a function that fetches one link with the given settings."""
    clients: list[Client] = []

    def fetch_one(url: str, settings: BothSettings) -> bytes:
        clients.append(settings.client())
        return clients[-1].fetch(parse_link(url)).data

    yield fetch_one
    for client in clients:
        client.close()
