"""PyTorch as this project uses it: a fixed number of threads, deterministic, on one device."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from amlc.errors import MissingExtraError, ModelError
from amlc.features.encoders.sources import EXTRA

if TYPE_CHECKING:
    # This module is imported where PyTorch may not be installed.
    import torch

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")


def require_deep(feature: str) -> None:
    """Check that the extra `deep` is installed, without importing it.

    Parameters
    ----------
    feature : str
        What needs it, as a noun phrase.

    Raises
    ------
    MissingExtraError
        A package is missing; the message names the command that installs it.
    """
    if any(find_spec(name) is None for name in PACKAGES):
        raise MissingExtraError(feature, EXTRA)


def use_threads(threads: int) -> "torch.device":
    """Let PyTorch compute reproducibly from now on, and return the device to compute on.

    Parameters
    ----------
    threads : int
        Threads of one operation on the CPU; another number can change the last bits of a result.

    Returns
    -------
    torch.device
        The GPU if there is one, else the CPU.
    """
    # Read by cuBLAS when it is first used; without it, deterministic algorithms are refused.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch  # noqa: PLC0415 - takes seconds to import

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # cuDNN's attention makes a plan for each new shape of a batch, which takes longer than the
    # batch, and its gradients are not deterministic.
    torch.backends.cuda.enable_cudnn_sdp(False)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def memory_errors(message: str) -> Iterator[None]:
    """Turn PyTorch's error about a GPU whose memory is too small into a ModelError.

    Parameters
    ----------
    message : str
        What needs the memory, and what to change.
    """
    import torch  # noqa: PLC0415 - takes seconds to import

    try:
        yield
    except torch.OutOfMemoryError:
        raise ModelError(message) from None


@contextmanager
def deterministic(threads: int) -> Iterator["torch.device"]:
    """Do what `use_threads` does in the block only, and yield the device."""
    import torch  # noqa: PLC0415 - takes seconds to import

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        yield use_threads(threads)
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
