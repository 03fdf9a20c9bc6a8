"""The training loop of one network, which goes on from a checkpoint as if nothing had happened.

Every random draw comes from a generator that is seeded anew with the numbers of network, epoch and
step, so a checkpoint needs no state of a generator.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from amlc.arrays import Floats, Rows
from amlc.errors import ModelError
from amlc.metrics import smape_of_logs
from amlc.models.fusion.checkpoint import Arrays, Checkpoint, Progress
from amlc.models.fusion.forward import Batcher, Place, predict_rows
from amlc.models.fusion.inputs import Inputs, training_batches
from amlc.models.fusion.network import (
    FusionNetwork,
    parameter_groups,
    row_losses,
    set_training,
    trainable,
)
from amlc.models.fusion.processes import Processes
from amlc.models.fusion.settings import FusionSettings
from amlc.models.target import Target

# Moments of AdamW's state, by parameter.
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class Trainer:
    """Trains one network.

    Parameters
    ----------
    network : FusionNetwork
        With a new head, on the device.
    inputs : Inputs
        Of all train rows.
    target : Target
        Their log prices.
    settings : FusionSettings
    place : Place
    checkpoint : Checkpoint
        Where to go on from, and to write to.
    seed : int
        With the number of the network, the seed of every draw.
    number : int
        The number of the network.
    watched : Inputs, optional
        Rows that are predicted after each epoch.
    held_out : ndarray of int, optional
        Train rows that are held out to stop early.
    label : str
        What the progress bar says.
    processes : Processes
        Those that compute the fit together.

    Attributes
    ----------
    curve : list of ndarray of float64, shape (watched rows,)
        Their log prices after each epoch.
    epoch_seconds : list of float
        How long the updates of each epoch took that ran without an interruption in this process.
    """

    network: FusionNetwork
    inputs: Inputs
    target: Target
    settings: FusionSettings
    place: Place
    checkpoint: Checkpoint
    seed: int
    number: int
    watched: Inputs | None = None
    held_out: Rows | None = None
    label: str = "fusion"
    processes: Processes = field(default_factory=Processes)
    curve: list[Floats] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings, count = self.settings, len(self.inputs)
        self._fit_rows = np.arange(count)
        if self.held_out is not None:
            self._fit_rows = np.setdiff1d(self._fit_rows, self.held_out)
        self._parameters = dict(trainable(self.network))
        self._optimizer = torch.optim.AdamW(parameter_groups(self.network, settings), fused=True)
        self._average = (
            None
            if settings.weight_average is None
            else {name: value.detach().clone() for name, value in self._parameters.items()}
        )
        self._best: dict[str, Tensor] = {}
        self._progress = Progress(0, 0)
        self._steps_per_epoch = math.ceil(len(self._fit_rows) / settings.batch_size)
        self._batcher = Batcher(self.inputs, settings, self.place, augmented=True)
        log_price = self.target.log_price.astype(np.float32)
        self._log_price = self.place.put(log_price)
        weight = self.target.weight
        self._weight = None if weight is None else self.place.put(weight.astype(np.float32))

    def run(self) -> None:
        """Train the network, and leave its final weights in it.

        Raises
        ------
        ModelError
            The loss is not finite.
        """
        loaded = self.checkpoint.load()
        if loaded is not None:
            self._restore(*loaded)
        elif self.processes.is_first and (differences := self.checkpoint.differences()):
            print(
                f"fusion: an unfinished fit was made with other {', '.join(differences)}: "
                "this one starts from the beginning"
            )
        if self._progress.finished:
            return
        while self._progress.epoch < self.settings.epochs and not self._stopped():
            self._run_epoch(self._progress.epoch, self._progress.step)
        self._use(self._best or self._average)
        self._save(finished=True)

    def _run_epoch(self, epoch: int, first: int) -> None:
        layout, batches = self._plan(epoch)
        bar = tqdm(
            total=len(batches),
            initial=first,
            desc=f"{self.label}, epoch {epoch + 1} of {self.settings.epochs}",
            leave=False,
            disable=None if self.processes.is_first else True,
        )
        set_training(self.network, training=True)
        total, started = torch.zeros((), device=self.place.device), time.monotonic()
        with bar:
            for step in range(first, len(batches)):
                total += self._step(epoch, step, batches[step], layout)
                bar.update()
                self._progress = self._advanced(epoch, step + 1)
                # The end of the epoch writes one anyway.
                if self.checkpoint.is_due and step + 1 < len(batches):
                    self._save()
        self._check(total, epoch + 1)
        if first == 0:
            self.epoch_seconds.append(time.monotonic() - started)
        self._end_epoch(epoch + 1)
        self._save()

    def _check(self, loss: Tensor, epoch: int) -> None:
        # The loss is that before the last update, and only of this process's parts.
        if not all(bool(each.isfinite().all()) for each in (loss, *self._parameters.values())):
            raise ModelError(
                f"fusion: the loss of epoch {epoch} is not finite: lower learning_rate, or set "
                "precision to float32"
            )

    def _plan(self, epoch: int) -> tuple[int, list[Rows]]:
        """Return the layout and the batches of an epoch."""
        rng = np.random.default_rng((self.seed, self.number, epoch))
        layout = (epoch + self.number) % max(len(self.inputs.texts), 1)
        limit = 0 if self.settings.text is None else self.settings.text.tokens
        lengths = self.inputs.lengths(layout, limit)[self._fit_rows]
        batches = training_batches(lengths, self.settings.batch_size, rng)
        return layout, [self._fit_rows[rows] for rows in batches]

    def _step(self, epoch: int, step: int, rows: Rows, layout: int) -> Tensor:
        """Update the weights by one batch, and return its loss."""
        settings = self.settings
        total = torch.zeros((), device=self.place.device)
        for number, part in enumerate(np.array_split(rows, settings.accumulation)):
            if not len(part) or number % self.processes.count != self.processes.rank:
                continue
            # What dropout draws depends on the part, whichever process computes it.
            seed = (self.seed, self.number, epoch, step, number)
            self.place.seed(*seed)
            with self.place.autocast(settings, training=True):
                predicted = self._batcher.forward(self.network, part, layout, seed)
            positions = self.place.put(part)
            losses = row_losses(settings.loss, predicted.float() - self._log_price[positions])
            if self._weight is not None:
                losses = losses * self._weight[positions]
            loss = losses.sum() / len(rows)
            loss.backward()
            total += loss.detach()
        self.processes.sum_gradients(list(self._parameters.values()))
        if settings.max_norm is not None:
            torch.nn.utils.clip_grad_norm_(list(self._parameters.values()), settings.max_norm)
        factor = self._factor(epoch * self._steps_per_epoch + step)
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._update_average(epoch * self._steps_per_epoch + step)
        return total

    def _factor(self, step: int) -> float:
        """Return the share of the learning rate at a step: it rises, then falls to 0."""
        steps = self.settings.epochs * self._steps_per_epoch
        rising = round(self.settings.warm_up * steps)
        if step < rising:
            return (step + 1) / rising
        left = (steps - step) / max(steps - rising, 1)
        return left if self.settings.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2

    def _update_average(self, step: int) -> None:
        if self._average is None:
            return
        assert self.settings.weight_average is not None
        # Early averages would otherwise be mostly the weights at the start.
        decay = min(self.settings.weight_average, (1 + step) / (10 + step))
        averages = [self._average[name] for name in self._parameters]
        with torch.no_grad():
            torch._foreach_lerp_(averages, list(self._parameters.values()), 1 - decay)

    def _end_epoch(self, epoch: int) -> None:
        best, best_epoch = self._progress.best, self._progress.best_epoch
        with self._averaged():
            if self.watched is not None:
                self.curve.append(self._predict(self.watched, np.arange(len(self.watched))))
            if self.held_out is not None:
                predicted = self._predict(self.inputs, self.held_out)
                score = smape_of_logs(self.target.log_price[self.held_out], predicted)
                score = self.processes.agreed(score, self.place.device)
                if best is None or score < best:
                    best, best_epoch = score, epoch
                    self._best = {n: v.detach().clone() for n, v in self._parameters.items()}
        self._progress = Progress(epoch, 0, best=best, best_epoch=best_epoch)

    def _predict(self, inputs: Inputs, rows: Rows) -> Floats:
        return predict_rows(self.network, inputs, rows, self.settings, self.place, training=True)

    def _advanced(self, epoch: int, step: int) -> Progress:
        before = self._progress
        return Progress(epoch, step, best=before.best, best_epoch=before.best_epoch)

    def _stopped(self) -> bool:
        patience = self.settings.early_stopping_epochs
        waited = self._progress.epoch - self._progress.best_epoch
        return self.held_out is not None and self._progress.epoch > 0 and waited >= patience

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the network have the averaged weights in the block."""
        if self._average is None:
            yield
            return
        current = {name: value.detach().clone() for name, value in self._parameters.items()}
        self._use(self._average)
        try:
            yield
        finally:
            self._use(current)

    def _use(self, weights: dict[str, Tensor] | None) -> None:
        with torch.no_grad():
            for name, value in (weights or {}).items():
                self._parameters[name].copy_(value)

    def _save(self, *, finished: bool = False) -> None:
        if not self.processes.is_first:
            return
        groups = {"weights": self._parameters}
        if not finished:
            groups |= {"average": self._average or {}, "best": self._best}
            names = {value: name for name, value in self._parameters.items()}
            for value, state in self._optimizer.state.items():
                groups[f"optimizer/{names[value]}"] = {key: state[key] for key in _MOMENTS}
        arrays: Arrays = {
            f"{group}/{name}": value.detach().cpu().numpy()
            for group, values in groups.items()
            for name, value in values.items()
        }
        arrays |= {f"curve/{index:05d}": values for index, values in enumerate(self.curve)}
        progress = self._progress
        if finished:
            progress = Progress(
                progress.epoch, 0, True, best=progress.best, best_epoch=progress.best_epoch
            )
        self.checkpoint.save(arrays, progress)

    def _restore(self, arrays: Arrays, progress: Progress) -> None:
        tensors = {
            name: torch.from_numpy(array.copy()).to(self.place.device)
            for name, array in arrays.items()
            if not name.startswith("curve/")
        }
        self.curve = [arrays[name] for name in sorted(arrays) if name.startswith("curve/")]
        self._use(_below("weights", tensors))
        if self._average is not None and not progress.finished:
            self._average = _below("average", tensors)
        self._best = _below("best", tensors)
        for name, value in self._parameters.items():
            if state := _below(f"optimizer/{name}", tensors):
                self._optimizer.state[value] = state
        self._progress = progress
        done = "is complete" if progress.finished else "goes on"
        if self.processes.is_first:
            print(f"fusion: a fit {done}: epoch {progress.epoch}, step {progress.step}")


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix and a slash, by the rest of the name."""
    start = f"{prefix}/"
    return {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}
