"""Errors as responses (RFC 9457): one sentence that says what is wrong and what to do."""

import http

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from amlc.images import fetch_result

MEDIA_TYPE = "application/problem+json"

# Why a picture cannot be used, in words for the person who sent it or its link.
_PICTURE_REASONS = {
    fetch_result.NOT_AN_IMAGE: "it is not a JPEG, PNG, WebP or GIF file",
    fetch_result.AVIF_NOT_ACCEPTED: "it is AVIF; send it as JPEG, PNG, WebP or GIF",
    fetch_result.HEIC_NOT_ACCEPTED: "it is HEIC; send it as JPEG, PNG, WebP or GIF",
    fetch_result.DAMAGED: "the file is damaged",
    fetch_result.CANNOT_BE_DECODED: "the file cannot be decoded",
    fetch_result.TRUNCATED: "the file ends too early",
    fetch_result.TOO_MANY_PIXELS: "it has more pixels than this service accepts",
    fetch_result.TOO_SMALL: "it is too small to show a product",
    fetch_result.TOO_MANY_PARTS: "its file has more parts than this service accepts",
    fetch_result.TOO_MANY_BYTES: "it has more bytes than this service accepts",
    fetch_result.MALFORMED: "the link is not a valid http or https link",
    fetch_result.ADDRESS_NOT_ALLOWED: "the link leads to an address that is not public",
    fetch_result.REDIRECT_NOT_ALLOWED: "the link redirects to something that is not a web address",
    fetch_result.HOST_NOT_ALLOWED: "this service does not fetch pictures from the link's host",
    fetch_result.HOST_NOT_FOUND: "the link's host was not found",
    fetch_result.TIMEOUT: "the link's host took too long",
    fetch_result.OPTED_OUT: "the link's host forbids its use for machine learning",
}


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemBody(BaseModel):
    """An error: what went wrong, in one sentence, and which fields are wrong."""

    type: str = Field(description="Always about:blank: the status says what kind of error it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What went wrong and what to do, in one sentence.")
    errors: list[FieldError] = Field(description="The fields that are wrong, if any.")


class Problem(Exception):  # noqa: N818 - RFC 9457's word; it becomes a response, not a crash
    """An error that is sent as a response.

    Parameters
    ----------
    status : int
        HTTP status, 400 to 599.
    detail : str
        What went wrong and what to do, in one sentence.
    errors : sequence of FieldError
        The fields that are wrong.
    retry_after : int, optional
        Seconds after which the client may try again.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after

    def body(self) -> ProblemBody:
        """Return the body of the response."""
        return ProblemBody(
            type="about:blank",
            title=http.HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            errors=list(self.errors),
        )

    def response(self, headers: dict[str, str] | None = None) -> JSONResponse:
        """Return the response."""
        headers = dict(headers or {})
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return JSONResponse(self.body().model_dump(), self.status, headers, MEDIA_TYPE)


def busy(message: str, seconds: int = 1) -> Problem:
    """Return the problem of a service that is busy; the client may try again later."""
    return Problem(503, f"{message}; try again in {seconds} s.", retry_after=seconds)


def bad_picture(field: str, reason: str) -> Problem:
    """Return the problem of a picture that cannot be used.

    Parameters
    ----------
    field : str
        The field that it came from, ``"image"`` or ``"image_url"``.
    reason : str
        A constant of `amlc.images.fetch_result`, or ``"http 404"`` and the like.
    """
    status = 413 if reason == fetch_result.TOO_MANY_BYTES else 422
    message = _PICTURE_REASONS.get(reason, f"fetching the link failed: {reason}")
    return Problem(
        status,
        f"The picture cannot be used: {message}.",
        (FieldError(field=field, message=message),),
    )
