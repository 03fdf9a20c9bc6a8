"""Libraries that are imported without what they offer beside it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(library: str) -> Iterator[None]:
    """Import, within this block, as if a library were not installed.

    LightGBM and XGBoost import scikit-learn, for wrappers that nothing here uses; it is most of
    the time until a model is loaded. Where the library is loaded already, it stays.

    Examples
    --------
    >>> with without("a_library"):
    ...     import a_library
    Traceback (most recent call last):
    ModuleNotFoundError: import of a_library halted; None in sys.modules
    """
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment]  # how Python is told that there is none
    try:
        yield
    finally:
        del sys.modules[library]
