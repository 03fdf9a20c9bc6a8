"""The name of a picture that a benchmark writes at its end."""

from argparse import ArgumentTypeError
from pathlib import Path

SUFFIXES = (".png", ".svg", ".pdf")


def picture_path(text: str) -> Path:
    """Return the path of an option, checked before hours of measurements are spent on it.

    Raises
    ------
    ArgumentTypeError
        The picture cannot be written in this format.
    """
    path = Path(text)
    if path.suffix not in SUFFIXES:
        raise ArgumentTypeError(f"{text}: expected a name that ends with {', '.join(SUFFIXES)}")
    return path
