"""Several processes that compute one fit together, started by accelerate."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amlc.errors import MissingExtraError, ModelError, ParamsError

if TYPE_CHECKING:
    # It may not be installed.
    import torch

# Set for the processes that `launch` starts.
_LAUNCHED = "AMLC_LAUNCHED"


def launch(config: str, executor: str, module: str, *arguments: str) -> bool:
    """Run a module in the processes that a configuration file of accelerate describes.

    Parameters
    ----------
    config : str
        The file, as `accelerate config` writes it.
    executor : str
        ``executor.kind``.
    module : str
        Run with the arguments in each process.

    Returns
    -------
    bool
        False in a process that was started so: it is to do the work.

    Raises
    ------
    MissingExtraError
        accelerate is not installed.
    ParamsError
        There is no such file, or fits are to be computed elsewhere.
    ModelError
        A process failed; what went wrong has been printed by it.
    """
    if _LAUNCHED in os.environ:
        return False
    if executor != "threads":
        # Each process would hand out all fits, to workers that know nothing of the others.
        raise ParamsError(f"train.fusion.accelerate: needs executor.kind: threads, not {executor}")
    require_accelerate()
    if not Path(config).is_file():
        raise ParamsError(f"train.fusion.accelerate: no such file: {config}: run accelerate config")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config]
    command += ["--module", module, *arguments]
    environment = {**os.environ, _LAUNCHED: "1"}
    # The command is this program, and the names are those of a stage and of a model.
    code = subprocess.run(command, env=environment, check=False).returncode  # noqa: S603
    if code:
        raise ModelError(f"accelerate: a process of the fit ended with exit code {code}")
    return True


def require_accelerate() -> None:
    """Raise MissingExtraError if accelerate is not installed."""
    if find_spec("accelerate") is None:
        raise MissingExtraError("train.fusion.accelerate", "gpus")


def rank() -> int:
    """Return the number of this process among those of a fit; only number 0 writes files."""
    return int(os.environ.get("RANK", "0")) if _LAUNCHED in os.environ else 0


@dataclass(frozen=True)
class Processes:
    """The processes of a fit, each of which computes some parts of every batch.

    Parameters
    ----------
    rank, count : int
        The number of this process, and how many there are.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def started(cls) -> "Processes":
        """Return those that accelerate started, connected; one process if it started none."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if _LAUNCHED not in os.environ or count == 1:
            return cls()
        import accelerate  # noqa: PLC0415 - an extra

        accelerate.PartialState()
        return cls(rank(), count)

    def check(self, accumulation: int) -> None:
        """Raise ModelError if a batch has fewer parts than there are processes."""
        if accumulation < self.count:
            raise ModelError(
                f"train.fusion.accumulation: {accumulation}: expected at least {self.count}, a "
                "part of each batch for each process of accelerate"
            )

    @property
    def is_first(self) -> bool:
        """Whether this process writes checkpoints and messages."""
        return self.rank == 0

    def device(self, names: Sequence[str]) -> str:
        """Return the device of this process: GPUs have one process each.

        Raises
        ------
        ModelError
            The settings name another number of GPUs.
        """
        if list(names) == ["cpu"]:
            return "cpu"
        if len(names) != self.count:
            raise ModelError(
                f"train.fusion.devices: {len(names)} for {self.count} processes of accelerate"
            )
        return names[self.rank]

    def sum_gradients(self, parameters: "Sequence[torch.Tensor]") -> None:
        """Add up the gradients of all processes, in place.

        A parameter without a gradient in every process keeps none, as in a single process.
        """
        if self.count == 1:
            return
        import torch  # noqa: PLC0415 - may not be installed

        gradients = [_gradient(value).reshape(-1) for value in parameters]
        present = [float(value.grad is not None) for value in parameters]
        flat = torch.cat([*gradients, gradients[0].new_tensor(present)])
        torch.distributed.all_reduce(flat)
        *sums, counts = flat.split([*map(len, gradients), len(present)])
        for value, total, found in zip(parameters, sums, counts.tolist(), strict=True):
            value.grad = total.view_as(value) if found else None

    def agreed(self, value: float, device: Any) -> float:
        """Return the first process's value: rounding must not make the others stop elsewhere."""
        if self.count == 1:
            return value
        import torch  # noqa: PLC0415 - may not be installed

        shared = torch.tensor(value, dtype=torch.float64, device=device)
        torch.distributed.broadcast(shared, src=0)
        return float(shared.item())


def _gradient(value: "torch.Tensor") -> "torch.Tensor":
    return value.new_zeros(value.shape) if value.grad is None else value.grad
