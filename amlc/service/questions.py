"""From a request to a question: JSON or a form, a picture sent or behind a link."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from amlc.images import urls
from amlc.images.client import Client
from amlc.images.fetch_result import TOO_MANY_BYTES, FetchError
from amlc.images.settings import ImageSettings, serving_settings
from amlc.pricing.answers import Question
from amlc.service.bodies import bounded
from amlc.service.limits import Limits
from amlc.service.problems import FieldError, Problem, bad_picture, busy
from amlc.service.schemas import ProductFields, ProductText, from_form, from_json


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
    FetchError
        Whatever went wrong; there is one try only.
    ImageError
        The CA bundle that the environment names cannot be read.
    """
    link = urls.parse(url)
    with contextlib.closing(Client(image_settings(limits))) as client:
        return client.fetch(link).data


def image_settings(limits: Limits) -> ImageSettings:
    """Return the pipeline's image settings that say the same as the service's limits."""
    seconds = limits.fetch_seconds
    return serving_settings(
        allow_hosts=limits.image_hosts,
        allow_private_hosts=limits.private_hosts,
        max_bytes=limits.image_bytes,
        connect_seconds=min(5.0, seconds),
        read_seconds=seconds,
        deadline_seconds=seconds,
        # One link, once.
        per_host=1,
        workers=1,
        tries=1,
    )


JSON, FORM = "application/json", "multipart/form-data"
# A form has these fields, a few bullets, and one file.
_MAX_FIELDS = 100


@dataclass(frozen=True)
class Asked:
    """A product to price, and what to tell about it.

    Parameters
    ----------
    question : Question
    similar, contributions
        As `Pricer.price`.
    picture_from : str
        The field that the picture came from.
    """

    question: Question
    similar: int
    contributions: bool
    picture_from: str


class Reader:
    """Reads questions.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fetching = 0
        self._pool = ThreadPoolExecutor(limits.fetches, thread_name_prefix="fetch")

    def close(self) -> None:
        """End the threads that fetch."""
        self._pool.shutdown(cancel_futures=True)

    async def read(self, request: Request) -> Asked:
        """Read the question that a request asks.

        Raises
        ------
        Problem
            415 for a body that is neither JSON nor a form; 400, 408, 413, 422 or 503 for what is
            wrong with it.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == JSON:
            body = bounded(request, self._limits.body_bytes, self._limits)
            return await self._asked(from_json(await body.body()), None)
        if kind == FORM:
            return await self._form(request)
        raise Problem(415, f"Send the product as {JSON} or as {FORM}.")

    async def _form(self, request: Request) -> Asked:
        limits = self._limits
        body = bounded(request, limits.image_bytes + limits.body_bytes, limits)
        try:
            async with body.form(
                max_files=1, max_fields=_MAX_FIELDS, max_part_size=limits.body_bytes
            ) as form:
                picture = await self._upload(form)
                fields = from_form(_texts(form))
        except HTTPException as error:
            raise Problem(400, f"The form cannot be read: {error.detail}") from None
        return await self._asked(fields, picture)

    async def _upload(self, form: FormData) -> bytes | None:
        file = form.get("image")
        if not isinstance(file, UploadFile):
            return None
        data = await file.read(self._limits.image_bytes + 1)
        if len(data) > self._limits.image_bytes:
            raise bad_picture("image", TOO_MANY_BYTES)
        # A browser sends an empty file where none was chosen.
        return data or None

    async def _asked(self, product: ProductText | ProductFields, picture: bytes | None) -> Asked:
        if product.image_url is not None:
            if picture is not None:
                raise _one_picture()
            picture = await self._fetched(product.image_url)
        question = Question(product.as_text(), picture)
        source = "image" if product.image_url is None else "image_url"
        return Asked(question, product.similar, product.contributions, source)

    async def _fetched(self, url: str) -> bytes:
        if self._fetching >= self._limits.fetches:
            raise busy("Too many pictures are being fetched", 5)
        self._fetching += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, fetch, url, self._limits)
        except FetchError as fault:
            raise bad_picture("image_url", fault.reason) from None
        finally:
            self._fetching -= 1


def _texts(form: FormData) -> dict[str, str | list[str]]:
    """Return the text fields of a form; only bullets may be given more than once."""
    found: dict[str, str | list[str]] = {}
    for name in form:
        values = form.getlist(name)
        if name == "image" and all(_is_file(value) for value in values):
            continue
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < len(values):
            raise _bad(name, "this field takes no file")
        if name == "bullets":
            found[name] = [text for text in texts if text]
        elif len(texts) > 1:
            raise _bad(name, "this field was given more than once")
        else:
            found[name] = texts[0]
    return found


def _is_file(value: UploadFile | str) -> bool:
    return isinstance(value, UploadFile) or value == ""


def _bad(field: str, message: str) -> Problem:
    return Problem(
        422, f"{field[:80]}: {message}.", (FieldError(field=field[:80], message=message),)
    )


def _one_picture() -> Problem:
    return _bad("image_url", "give the picture as a file or as a link, not both")
