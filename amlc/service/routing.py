"""What routes that take products share: the body's media type, checks of forms, the service."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.params import Body
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from amlc.service.middleware import media_type
from amlc.service.price_service import PriceService
from amlc.service.problems import bad_field
from amlc.service.schemas import decoded


class BodyRoute(APIRoute):
    """A route for one media type of the body, so that several can share a path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route takes a request."""
        match, child_scope = super().matches(scope)
        body = self.body_field.field_info if self.body_field is not None else None
        if match is Match.FULL and isinstance(body, Body) and body.media_type != media_type(scope):
            return Match.NONE, {}
        return match, child_scope


async def _service(request: Request) -> PriceService:
    service: PriceService = request.app.state.service
    return service


Service = Annotated[PriceService, Depends(_service)]


class FormCheck:
    """Refuses a field that is not UTF-8, or given twice, of which FastAPI would take the last.

    Parameters
    ----------
    *repeated : str
        Fields that may be given several times.
    """

    def __init__(self, *repeated: str) -> None:
        self._repeated = repeated

    async def __call__(self, request: Request) -> None:
        """Check the form of a request."""
        form = await request.form()
        for name in form:
            given = [value for value in form.getlist(name) if value != ""]
            try:
                for text in (name, *given):
                    if isinstance(text, str):
                        decoded(text)
            except UnicodeDecodeError:
                raise bad_field(name, "this field is not UTF-8") from None
            if name not in self._repeated and len(given) > 1:
                raise bad_field(name, "this field was given more than once")
