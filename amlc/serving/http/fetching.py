"""A picture behind a link, by the pipeline's own safe fetch."""

import contextlib

from amlc.images import links
from amlc.images.fetch import Client
from amlc.images.settings import ImageSettings
from amlc.serving.http.limits import Limits


def fetch(url: str, limits: Limits) -> bytes:
    """Return what is behind a link; not yet known to be a picture.

    Only public addresses are connected to, redirects included; bytes and time are bounded. Each
    call has a client of its own: a service lives for long, and neither the names that it looked
    up nor connections to strangers may pile up.

    Parameters
    ----------
    url : str
        Anything.
    limits : Limits

    Raises
    ------
    Fault
        Whatever went wrong; there is one try only.
    ImageError
        The CA bundle that the environment names cannot be read.
    """
    link = links.parse(url)
    with contextlib.closing(Client(image_settings(limits))) as client:
        return client.fetch(link).data


def image_settings(limits: Limits) -> ImageSettings:
    """Return the pipeline's image settings that say the same as the service's limits."""
    seconds = limits.fetch_seconds
    return ImageSettings(
        allow_hosts=limits.image_hosts,
        allow_private_hosts=limits.private_hosts,
        ca_bundle=None,
        respect_noai=True,
        max_bytes=limits.image_bytes,
        per_host=1,
        connect_seconds=min(5.0, seconds),
        read_seconds=seconds,
        deadline_seconds=seconds,
        # One link, once, at its full size; nothing of it is decoded or kept here.
        tries=1,
        workers=1,
        give_up_after=1,
        backoff_seconds=1.0,
        retry_after_seconds=1.0,
        thumbnail=False,
        thumbnail_hosts=[],
        mirror=None,
        retry_failed=False,
        remember_days=0,
        max_pixels=10_000,
        size=256,
        quality=90,
        shard_links=1,
    )
