"""How long a model took and how much memory: kept outside the repository, by its predictions.

Durations may not stand in a file that DVC or git tracks, because the same inputs would then not
give the same bytes. DVC knows the MD5 of each model's predictions in each revision: it is the key.
"""

import hashlib
import json
import resource
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from amlc import layout
from amlc.errors import DataError
from amlc.files import write_json

# A file of this module has a few hundred bytes; a larger one is not read.
MAX_BYTES = 10_000
# Characters of the MD5 of the blend's predictions that stand for a result, in the report and in the
# table of experiments.
RESULT_LENGTH = 8


class Timing(BaseModel):
    """Duration and memory of the cross-fitting of one model.

    Parameters
    ----------
    seconds : float
        From the first fit to the last prediction.
    fit_seconds, predict_seconds : float
        Sums over the fits, of which several may run at the same time: of fitting, and of predicting
        every product once.
    peak_bytes : int
        Largest memory of the process, its inputs and libraries included.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    seconds: float = Field(ge=0)
    fit_seconds: float = Field(ge=0)
    predict_seconds: float = Field(ge=0)
    peak_bytes: int = Field(ge=0)


def peak_bytes() -> int:
    """Return the largest memory that this process has had, in bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return size if sys.platform == "darwin" else 1024 * size


def record(predictions: Path, timing: Timing) -> None:
    """Keep the timing of the model that made these predictions; the last of several counts.

    Parameters
    ----------
    predictions : Path
        The file of the model's predictions.
    timing : Timing
        What it took.

    Notes
    -----
    No result depends on a timing, so a store that cannot be written costs the timing alone.
    """
    with suppress(OSError, DataError):
        write_json(_path(md5(predictions)), timing.model_dump())


def recorded(digest: str | None) -> Timing | None:
    """Return the timing of the model whose predictions have this MD5, None if it was not kept.

    Parameters
    ----------
    digest : str or None
        32 hexadecimal digits; None: there are no predictions.
    """
    if digest is None:
        return None
    path = _path(digest)
    try:
        content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
        return Timing.model_validate(json.loads(content))
    except (OSError, ValueError, ValidationError):
        return None


def recorded_of(predictions: Path) -> Timing | None:
    """Return the timing of the model that made these predictions, None if it was not kept."""
    return recorded(md5(predictions)) if predictions.is_file() else None


def md5(path: Path) -> str:
    """Return the MD5 of a file, as DVC computes it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _md5).hexdigest()


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _path(digest: str) -> Path:
    return layout.store() / "timings" / f"{digest}.json"
