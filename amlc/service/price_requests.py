"""Read the product of a request: JSON or a form, with a picture that is uploaded or linked."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from amlc.catalog.links import LinkError, parse_link
from amlc.images.client import Client
from amlc.images.fetch_result import MALFORMED, TOO_MANY_BYTES, FetchError, Retry
from amlc.images.settings import FetchSettings, HostRules
from amlc.pricing.estimates import NO_PICTURE, Product
from amlc.service.limits import Limits
from amlc.service.middleware import bound_body
from amlc.service.problems import FieldError, Problem, bad_picture, busy
from amlc.service.schemas import FieldsRequest, TextRequest, from_form, from_json

JSON, FORM = "application/json", "multipart/form-data"
# Most text fields of a form: those of a product, of which bullets may be given 50 times.
_MAX_FIELDS = 100


@dataclass(frozen=True)
class PriceRequest:
    """A product to price, and what to return with its price.

    Parameters
    ----------
    product : Product
    similar, contributions : int, bool
        Parameters of `Pricer.price`.
    picture_field : str
        The field that the picture came from.
    """

    product: Product
    similar: int
    contributions: bool
    picture_field: str


class RequestReader:
    """Reads requests for the price of one product.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fetching = 0
        self._pool = ThreadPoolExecutor(limits.fetches, thread_name_prefix="fetch")

    def close(self) -> None:
        """End the threads that fetch pictures."""
        self._pool.shutdown(cancel_futures=True)

    async def read(self, request: Request) -> PriceRequest:
        """Read a request, and fetch the picture where it gives a link.

        Raises
        ------
        Problem
            415 if the body is neither JSON nor a form; 400, 408, 413, 422 or 503 if it cannot be
            used.
        """
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == JSON:
            body = bound_body(request, self._limits.body_bytes, self._limits)
            return await self._price_request(from_json(await body.body()), None)
        if media_type == FORM:
            return await self._read_form(request)
        raise Problem(415, f"Send the product as {JSON} or as {FORM}.")

    async def _read_form(self, request: Request) -> PriceRequest:
        limits = self._limits
        body = bound_body(request, limits.image_bytes + limits.body_bytes, limits)
        try:
            async with body.form(
                max_files=1, max_fields=_MAX_FIELDS, max_part_size=limits.body_bytes
            ) as form:
                picture = await self._uploaded_picture(form)
                fields = from_form(_text_fields(form))
        except HTTPException as error:
            raise Problem(400, f"The form cannot be read: {error.detail}") from None
        return await self._price_request(fields, picture)

    async def _uploaded_picture(self, form: FormData) -> bytes | None:
        file = form.get("image")
        if not isinstance(file, UploadFile):
            return None
        data = await file.read(self._limits.image_bytes + 1)
        if len(data) > self._limits.image_bytes:
            raise bad_picture("image", TOO_MANY_BYTES)
        # A browser sends an empty file where none was chosen.
        return data or None

    async def _price_request(
        self, fields: TextRequest | FieldsRequest, picture: bytes | None
    ) -> PriceRequest:
        picture_field = "image"
        if fields.image_url is not None:
            picture_field = "image_url"
            if picture is not None:
                raise _bad_field("image_url", "give the picture as a file or as a link, not both")
            picture = await self._fetched_picture(fields.image_url)
        product = Product(fields.as_text(), NO_PICTURE if picture is None else picture)
        return PriceRequest(product, fields.similar, fields.contributions, picture_field)

    async def _fetched_picture(self, url: str) -> bytes:
        if self._fetching >= self._limits.fetches:
            raise busy("Too many pictures are being fetched", 5)
        self._fetching += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, fetch, url, self._limits)
        except FetchError as error:
            raise bad_picture("image_url", error.reason) from None
        finally:
            self._fetching -= 1


def _text_fields(form: FormData) -> dict[str, str | list[str]]:
    """Return the text fields of a form; only bullets may be given more than once."""
    fields: dict[str, str | list[str]] = {}
    for name in form:
        values = form.getlist(name)
        if name == "image" and all(_is_file(value) for value in values):
            continue
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < len(values):
            raise _bad_field(name, "this field does not accept a file")
        if name == "bullets":
            fields[name] = [text for text in texts if text]
        elif len(texts) > 1:
            raise _bad_field(name, "this field was given more than once")
        else:
            fields[name] = texts[0]
    return fields


def _is_file(value: UploadFile | str) -> bool:
    return isinstance(value, UploadFile) or value == ""


def _bad_field(field: str, message: str) -> Problem:
    error = FieldError(field=field[:80], message=message)
    return Problem(422, f"{error.field}: {message}.", (error,))


def fetch(url: str, limits: Limits) -> bytes:
    """Return the body behind a link, which need not be a picture.

    It connects only to public addresses, also after redirects; bytes and time are bounded. Each
    call has its own client, because a service runs for a long time, and resolved addresses and
    connections to unknown hosts must not accumulate.

    Parameters
    ----------
    url : str
        Any text.
    limits : Limits

    Raises
    ------
    FetchError
        The link is malformed or not allowed, or the one try to fetch it failed.
    ImageError
        The CA bundle that the environment names cannot be read.
    """
    try:
        link = parse_link(url)
    except LinkError:
        raise FetchError(MALFORMED, Retry.AFTER_EXPIRY) from None
    seconds = limits.fetch_seconds
    rules = HostRules(allow_hosts=limits.image_hosts, allow_private_hosts=limits.private_hosts)
    fetching = FetchSettings(
        per_host=1,
        connect_seconds=min(5.0, seconds),
        read_seconds=seconds,
        deadline_seconds=seconds,
    )
    with contextlib.closing(Client(rules, limits.image_bytes, fetching)) as client:
        return client.fetch(link).data
