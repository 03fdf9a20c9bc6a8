"""Requests that a web page of somebody else makes a browser send: refused."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from amlc.service.problems import Problem

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class HostsMiddleware:
    """ASGI middleware that checks which host a request names, and which site it comes from.

    A page whose host name an attacker suddenly resolves to this machine may read what this service
    answers, because for a browser both are one site. So a connection to a loopback address may name
    only loopback hosts, besides the allowed ones; programs that are no browser may name none.

    Any page may send a form to any service. So a browser's request that is not only for reading
    must come from the page of this service.

    Parameters
    ----------
    app : ASGIApp
    allowed : sequence of str
        Names, as `parse_host` returns them, that requests may give as ``Host``. If there are none,
        connections to addresses other than loopback may name any.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http" and (problem := self._problem(scope)):
            await problem.response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host and not self._is_allowed(host, (scope.get("server") or ("",))[0]):
            return Problem(
                421,
                "This service does not answer to the host name of the request; its operator can "
                "allow names with --allowed-hosts.",
            )
        if scope["method"] not in _SAFE_METHODS and _is_from_elsewhere(headers, host):
            return Problem(403, "Requests from the pages of other sites are refused.")
        return None

    def _is_allowed(self, host: str, server: str) -> bool:
        name = _name(host)
        if name in self._allowed:
            return True
        return _is_loopback(name) if _is_loopback(server) else not self._allowed


def _name(host: str) -> str:
    """Return the name in a header ``Host``, in lower case; empty where it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_from_elsewhere(headers: Headers, host: str) -> bool:
    """Return whether a browser says that the page of another site sends the request."""
    if site := headers.get("sec-fetch-site"):
        return site not in {"same-origin", "none"}
    # Browsers send the header above only to HTTPS and to loopback.
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()
