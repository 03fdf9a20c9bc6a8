"""The result of fetching a link: a picture, or the reason why there is none."""

import enum
from dataclasses import dataclass

OK, PLACEHOLDER = "ok", "placeholder"

NO_LINK = "no link"
MALFORMED = "malformed link"
HOST_NOT_ALLOWED = "host not in allow_hosts"
ADDRESS_NOT_ALLOWED = "address not allowed"
HOST_NOT_FOUND = "host not found"
# Where there is a mirror, so that the remedy can be a file.
NOT_IN_MIRROR = "not in images.mirror, host not found"
NO_CONNECTION = "no connection"
PROXY_FAILURE = "proxy failure"
TLS_FAILURE = "TLS failure"
TIMEOUT = "timeout"
BROKEN = "connection broken"
NOT_HTTP = "answer is not HTTP"
TRUNCATED = "truncated body"
TOO_MANY_BYTES = "too many bytes"
EMPTY = "empty body"
BAD_ENCODING = "bad content encoding"
TOO_MANY_REDIRECTS = "too many redirects"
REDIRECT_NOT_ALLOWED = "redirect not allowed"
NOT_AN_IMAGE = "not an image"
DAMAGED = "damaged image"
AVIF_NOT_ACCEPTED = "image format not accepted: AVIF"
HEIC_NOT_ACCEPTED = "image format not accepted: HEIC"
TOO_MANY_PIXELS = "too many pixels"
TOO_SMALL = "too small"
TOO_MANY_PARTS = "too many parts"
CANNOT_BE_DECODED = "cannot be decoded"
OPTED_OUT = "opted out by X-Robots-Tag"


class Retry(enum.Enum):
    """When a link that failed may be tried again."""

    NOW = "in this run"
    NEXT_RUN = "in the next run"
    AFTER_EXPIRY = "not before remember_days have passed"


class FetchError(Exception):
    """A try that gave no picture; it becomes the status of its link, and the run continues.

    Parameters
    ----------
    reason : str
        One of this module's constants, or a status such as ``"http 404"``.
    retry : Retry
        When the link may be tried again.
    wait : float
        Seconds to wait before the next try, as the server asked for.
    """

    def __init__(self, reason: str, retry: Retry, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry
        self.wait = wait

    def __reduce__(self) -> tuple[type, tuple[str, Retry, float]]:
        # An exception is otherwise made again, in another process, from its message alone.
        return type(self), (self.reason, self.retry, self.wait)


@dataclass(frozen=True, slots=True)
class Picture:
    """A checked picture: an RGB JPEG of the configured size.

    Parameters
    ----------
    width, height : int
        Pixels.
    data : bytes
        Content of the JPEG file.
    """

    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The final result for one link.

    Parameters
    ----------
    status : str
        `OK` or `PLACEHOLDER`.
    reason : str
        Why it is a placeholder; empty if the status is ok.
    tries : int
        Failed tries before the link was given up; 0 if the status is ok, because the number then
        depends on the network alone.
    picture : Picture, optional
        None for a placeholder; all placeholders have the same grey picture.
    """

    status: str
    reason: str
    tries: int
    picture: Picture | None

    @staticmethod
    def ok(picture: Picture) -> "FetchResult":
        """Return the result for a link with a picture."""
        return FetchResult(OK, "", 0, picture)

    @staticmethod
    def failed(reason: str, tries: int) -> "FetchResult":
        """Return the result for a link without a picture."""
        return FetchResult(PLACEHOLDER, reason, tries, None)
