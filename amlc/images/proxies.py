"""The proxies that the environment names."""

import contextlib
import ipaddress
from dataclasses import dataclass
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass

import urllib3
from urllib3.exceptions import LocationParseError

from amlc.catalog.links import Link
from amlc.errors import ImageError


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    Parameters
    ----------
    host : str
        Its name or address.
    port : int
        TCP port.
    headers : dict of str
        Its Proxy-Authorization header, if it has a user.
    """

    host: str
    port: int
    headers: dict[str, str]

    @property
    def url(self) -> str:
        """The proxy's URL, without its user."""
        return f"http://{self.host}:{self.port}"


def environment_proxies() -> dict[str, Proxy]:
    """Return the proxies that HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name, by scheme of a link.

    Raises
    ------
    ImageError
        A variable does not name an HTTP proxy.
    """
    environment = getproxies_environment()
    return {
        scheme: _parse(f"{name.upper()}_PROXY", environment[name])
        for scheme in ("http", "https")
        for name in ("all", scheme)
        if name in environment
    }


def goes_direct(link: Link) -> bool:
    """Return whether NO_PROXY names a link's host, or a network (10.0.0.0/8) with its address.

    Names are not looked up for this.
    """
    host = f"[{link.host}]" if ":" in link.host else link.host
    return bool(proxy_bypass(f"{host}:{link.port}")) or _is_in_network(
        link.host, getproxies_environment().get("no", "")
    )


def _is_in_network(host: str, names: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for name in filter(lambda name: "/" in name, names.split(",")):
        with contextlib.suppress(ValueError):
            if address in ipaddress.ip_network(name.strip(), strict=False):
                return True
    return False


def _parse(variable: str, text: str) -> Proxy:
    try:
        parts = urllib3.util.parse_url(text if "://" in text else f"http://{text}")
    except LocationParseError:
        parts = urllib3.util.Url()
    if parts.scheme != "http" or not parts.host:
        # The text may hold a password.
        raise ImageError(
            f"fetching.use_proxy: {variable} names no HTTP proxy; write http://HOST:PORT"
        )
    user = unquote(parts.auth) if parts.auth else None
    headers = urllib3.make_headers(proxy_basic_auth=user) if user else {}
    return Proxy(parts.host, parts.port or 80, headers)
