"""The Python that runs a stage: DVC starts the first `python` of PATH, whichever that is.

Another Python than the project's may be older than the syntax of the other modules, so this one
uses only what every Python 3 knows.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

# The versions that pyproject.toml accepts, the last one excluded.
OLDEST, TOO_NEW = (3, 11), (3, 14)
# A library that no other program installs by chance.
LIBRARY = "lightgbm"
# Set in a stage that was started again, which is not done twice.
RESTARTED = "AMLC_RESTARTED"


def use_own_python(folder: Path) -> None:
    """Start a stage again with the project's own Python, if another one runs it.

    That is the one in `.venv`, of which ``.venv/bin/dvc repro`` uses only DVC. A virtual
    environment that is active is the user's choice and stays; so does any Python that has the
    libraries where there is no `.venv`.

    Parameters
    ----------
    folder : Path
        The folder in which the stage was started.

    Raises
    ------
    SystemExit
        With a sentence, if this Python cannot run the stage and there is no `.venv`.
    """
    own = _own_python(folder)
    if own is not None and _is_foreign(own):
        sys.stderr.write("python is {}: starting again with {}\n".format(sys.executable, own))
        sys.stderr.flush()
        os.environ[RESTARTED] = "1"
        os.execv(str(own), [str(own)] + sys.orig_argv[1:])  # noqa: S606 - the project's own Python
    reason = _unusable()
    if reason:
        raise SystemExit(
            "error: python is {}, {}: activate the environment in which amlc is installed "
            "(make installs it into .venv; then . .venv/bin/activate) and run again".format(
                sys.executable, reason
            )
        )


def _is_foreign(own: Path) -> bool:
    """Whether DVC started the stage with a Python that is neither its own nor the user's choice."""
    if "DVC_STAGE" not in os.environ or RESTARTED in os.environ or sys.version_info < (3, 10):
        return False
    prefix = Path(sys.prefix)
    active = os.environ.get("VIRTUAL_ENV")
    return not _same(own.parent.parent, prefix) and not (active and _same(Path(active), prefix))


def _own_python(folder: Path) -> "Path | None":
    """Return the Python of `.venv` beside dvc.yaml, here or above: experiments run in .dvc/tmp."""
    for root in [folder, *folder.parents]:
        python = root / ".venv" / "bin" / "python"
        if (root / "dvc.yaml").is_file() and python.exists():
            return python
    return None


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _unusable() -> str:
    """Return why this Python cannot run a stage, or nothing."""
    version = sys.version_info[:2]
    if not OLDEST <= version < TOO_NEW:
        return "which is Python {}.{}".format(*version)
    if find_spec(LIBRARY) is None:
        return "which has no {}".format(LIBRARY)
    return ""
