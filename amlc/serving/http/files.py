"""The page, and the page of the API's description: files that the application brings along."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

WEB = Path(__file__).parent / "web"
# A browser asks anew each time, and gets 304 where nothing changed: a new version shows at once.
_CACHE = "no-cache"


class _Static(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _CACHE
        return response


def routes() -> list[BaseRoute]:
    """Return the routes of the pages and of what they need."""
    return [
        Route("/", _page("index.html")),
        Route("/docs", _page("docs.html")),
        Mount("/static", _Static(directory=WEB)),
    ]


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_: Request) -> Response:
        return FileResponse(WEB / name, headers={"Cache-Control": _CACHE})

    return page
