"""Errors as responses (RFC 9457): one sentence that says what is wrong and what to do."""

import http
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from amlc.images import fetch_result

MEDIA_TYPE = "application/problem+json"

# What the framework says for people, where its own words are for programmers.
_DETAILS = {
    404: "This path does not exist; the page is at / and the description of the API at /docs.",
    405: "This path does not support this method.",
}
_MESSAGES = {
    "model_attributes_type": "It should be a JSON object",
    "extra_forbidden": "This field does not exist, or does not go with the other fields",
    # The only such error of the models: text where the field "image" takes a file.
    "value_error": "This field takes a file",
}

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


# What the description of the API says about errors.
_DESCRIPTIONS = {
    400: "The body cannot be read.",
    403: "The page of another site sent the request.",
    408: "The body arrived too slowly.",
    413: "The body, its picture or its CSV is too large.",
    415: "The body has a type that this path does not accept, or is not UTF-8.",
    421: "The service does not answer to the host name of the request.",
    422: "A field, the picture or the CSV is wrong; `detail` says how.",
    503: "The service is busy; `Retry-After` says when to try again.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody, "description": text} for status, text in _DESCRIPTIONS.items()
}
PROBLEMS[503]["headers"] = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
}


class Problem(HTTPException):
    """An error that is sent as a response.

    Parameters
    ----------
    status : int
        HTTP status, 400 to 599.
    detail : str
        What went wrong and what to do, in one sentence.
    errors : sequence of FieldError
        The fields that are wrong.
    headers : mapping, optional
        Headers of the response.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.errors = errors

    def response(self) -> JSONResponse:
        """Return the response."""
        body = ProblemBody(
            type="about:blank",
            title=http.HTTPStatus(self.status_code).phrase,
            status=self.status_code,
            detail=self.detail,
            errors=list(self.errors),
        )
        return JSONResponse(body.model_dump(), self.status_code, self.headers, MEDIA_TYPE)


async def answer_http_error(_: Request, error: Exception) -> JSONResponse:
    """Return the response to an error of the service, of FastAPI or of Starlette."""
    assert isinstance(error, HTTPException)
    if not isinstance(error, Problem):
        detail = _DETAILS.get(error.status_code, f"{error.detail}.")
        if error.status_code == 400:
            # A form or a JSON text that FastAPI cannot take apart.
            detail = f"The body cannot be read: {_lower_first(error.detail.rstrip('.'))}."
        error = Problem(error.status_code, detail, headers=error.headers)
    return error.response()


async def answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Return the response to a body that does not fit the models of the API."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    first = found[0]
    if any(each["type"] == "string_unicode" for each in found):
        detail = "The body is not Unicode: it has half of a surrogate pair."
        return Problem(400, detail).response()
    if first["type"] == "json_invalid":
        reason, place = _lower_first(first["ctx"]["error"]), first["loc"][1] + 1
        return Problem(400, f"The body is not JSON: {reason} at character {place}.").response()
    if first["loc"] == ("body",) and first["type"] == "missing":
        return Problem(400, "The body is empty.").response()
    skipped = request.app.state.model_parts
    errors = tuple(
        FieldError(field=_field(each["loc"], skipped), message=_message(each)) for each in found
    )
    detail = f"{errors[0].field}: {errors[0].message}"
    return Problem(422, detail, errors[:20]).response()


def _field(location: tuple[int | str, ...], model_parts: int) -> str:
    if location[0] == "query":
        return str(location[1])
    # The first parts only say that it is the body, and which model it should fit.
    return ".".join(str(part)[:80] for part in location[1 + model_parts :]) or "body"


def _message(error: dict[str, Any]) -> str:
    if isinstance(error["input"], UploadFile):
        return "this field does not accept a file."
    return f"{_lower_first(_MESSAGES.get(error['type'], error['msg']).rstrip('.'))}."


def _lower_first(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


def bad_field(field: str, message: str) -> Problem:
    """Return the problem of a field that the models do not find."""
    error = FieldError(field=field[:80], message=f"{message}.")
    return Problem(422, f"{error.field}: {error.message}", (error,))


def busy(message: str, seconds: int = 1) -> Problem:
    """Return the problem of a service that is busy; the client may try again later."""
    detail = f"{message}; try again in {seconds} s."
    return Problem(503, detail, headers={"Retry-After": str(seconds)})


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
