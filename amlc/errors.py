"""Errors that a user can act on.

AmlcError
├── ParamsError     params.yaml: unknown key, missing key, wrong type, out of range
├── DataError       a CSV, a table or a feature file violates its contract
├── ImageError      the image stage as a whole cannot continue (one bad image is a status)
├── ModelError      a model cannot be fitted, saved or loaded
├── CheckError      a result violates its contract, so it was not written
├── ExecutionError  a piece of a stage's work cannot be computed where params.yaml says
└── MissingExtraError   an optional dependency is not installed
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from zipfile import BadZipFile

from amlc.interrupts import EXIT_CODE, interruptible


class AmlcError(Exception):
    """Base of every error that amlc raises on purpose."""


class ParamsError(AmlcError):
    """A setting in params.yaml is unknown, missing, of the wrong type or out of range."""


class DataError(AmlcError):
    """Input data violates its contract."""


class ImageError(AmlcError):
    """The image stage as a whole cannot continue."""


class ModelError(AmlcError):
    """A model cannot be fitted, saved or loaded."""


class CheckError(AmlcError):
    """A result violates its contract."""


class ExecutionError(AmlcError):
    """A piece of work cannot be computed where the section `executor` of params.yaml says."""


class MissingExtraError(AmlcError):
    """A feature needs packages of an extra that is not installed.

    Parameters
    ----------
    feature : str
        The feature, as a noun phrase.
    extra : str
        The extra of this project that installs them.
    """

    def __init__(self, feature: str, extra: str) -> None:
        pip = f"pip install -e '.[{extra}]'"
        # These also find a build of PyTorch for the machine, and the locked versions.
        command = f"make {extra}, or {pip}" if extra in {"deep", "cluster"} else pip
        super().__init__(f"{feature} needs the extra '{extra}': run {command}")
        self._arguments = (feature, extra)

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        # Other processes raise it, too; an exception is otherwise made again from its message.
        return type(self), self._arguments


def first_few(values: Iterable[object], count: int = 5) -> str:
    """Return the first few values as text, with the number of the others.

    Parameters
    ----------
    values : iterable of object
        The values, of which an error message names a few.
    count : int
        How many to name.

    Examples
    --------
    >>> first_few(range(8), count=3)
    '0, 1, 2 and 5 more'
    """
    texts = [str(value) for value in values]
    head = ", ".join(texts[:count])
    rest = len(texts) - count
    return f"{head} and {rest} more" if rest > 0 else head


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its class if it says nothing.

    Examples
    --------
    >>> first_line(ValueError())
    'ValueError'
    """
    return next(iter(str(error).splitlines()), type(error).__name__)


# What NumPy, pandas, Arrow, JSON and the code that uses their results raise for a broken file.
_READ_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    BadZipFile,
)


@contextmanager
def read_errors_as(
    kind: type[AmlcError], message: str, *also: type[AmlcError], remedy: str = ""
) -> Iterator[None]:
    """Turn the errors that a missing or broken file causes in the block into a single AmlcError.

    Parameters
    ----------
    kind : type of AmlcError
        The error to raise.
    message : str
        The start of its message, such as the path and "cannot be read"; the cause follows.
    *also : type of AmlcError
        Errors of amlc to turn into it as well; by default they pass unchanged.
    remedy : str
        What to do about it; the end of the message.
    """
    causes = _READ_ERRORS + also
    try:
        yield
    except causes as error:
        end = f"; {remedy}" if remedy else ""
        raise kind(f"{message}: {error}{end}") from None


def run(main: Callable[[], None]) -> None:
    """Call a program's main function; its errors end the program with one sentence on stderr.

    Parameters
    ----------
    main : callable
        The function, without arguments.

    Raises
    ------
    SystemExit
        With code 1 after an AmlcError or an error of the system, 130 after an interrupt.
    """
    try:
        with interruptible():
            main()
    except KeyboardInterrupt:
        # In the moment in which the block above is entered or left.
        raise SystemExit(EXIT_CODE) from None
    except AmlcError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        # Such as a folder that cannot be made, or a disk that is full.
        file = f"{error.filename}: " if error.filename else ""
        print(f"error: {file}{error.strerror or error}", file=sys.stderr)
        raise SystemExit(1) from None
