"""The model `fusion`: pretrained towers fine-tuned together with the dense columns."""

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import amlc
from amlc.arrays import Floats
from amlc.errors import DataError, ModelError
from amlc.features.blocks import Blocks
from amlc.features.encoders.runtime import deterministic, memory_errors, require_deep
from amlc.features.encoders.sources import Source, file_sha256, find_source
from amlc.files import read_arrays, read_json, write_arrays, write_json
from amlc.import_closure import checksums, imported_files
from amlc.models.base import Regressor
from amlc.models.bins import Bins
from amlc.models.design import Design
from amlc.models.fusion.processes import Processes
from amlc.models.fusion.settings import FusionSettings
from amlc.models.target import Target
from amlc.models.target_encoding import inner_splits

if TYPE_CHECKING:
    # These need PyTorch, which may not be installed.
    from amlc.models.fusion.checkpoint import Checkpoint
    from amlc.models.fusion.forward import Place
    from amlc.models.fusion.network import FusionNetwork

# Dense columns are clipped at this many standard deviations, as in the model mlp.
FARTHEST = 4.0
# What is saved beside the networks: the SHA-256 of each of their files.
FILES = "fusion.json"
_ROOT = Path(amlc.__file__).parents[1]
# The libraries whose versions a checkpoint depends on.
_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "pillow", "peft")
# A device has one fit at a time.
_devices: dict[str, threading.Lock] = {}
_choosing = threading.Condition()
# The weights of a new head are drawn from a generator that all threads share.
_building = threading.Lock()


class Fusion(Regressor):
    """The mean of several networks of towers and dense columns.

    Attributes
    ----------
    networks : list of FusionNetwork
        Fitted, on the CPU.
    epoch_seconds : list of float
        How long each epoch of the fit took, without what was done before an interruption.
    """

    name = "fusion"
    settings_type = FusionSettings
    settings: FusionSettings
    kind = "linear"
    needs_content = True
    curve_unit = "epoch"

    def __init__(self, settings: FusionSettings) -> None:
        require_deep("the model fusion")
        super().__init__(settings)
        self.networks: list[FusionNetwork] = []
        self.epoch_seconds: list[float] = []
        self._watched: Blocks | None = None
        self._curve: list[Floats] = []
        self._device = ""
        self._threads = 0

    @property
    def fits_at_once(self) -> int:
        """One fit on each device: PyTorch uses all threads for one."""
        return 1 if self.settings.accelerate is not None else len(self.settings.devices)

    def watch(self, blocks: Blocks) -> None:
        """Note held-out rows that the next fit predicts after each epoch."""
        self._watched = self._select(blocks)

    def staged_predict(self, blocks: Blocks) -> Iterator[tuple[int, Floats]]:
        """Yield the number of epochs and the log prices of the watched rows after them."""
        if self._curve and len(blocks) == len(self._curve[0]):
            yield from enumerate(self._curve, start=1)

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        self._threads = threads
        dense = np.clip(design.dense, -FARTHEST, FARTHEST)
        self.bins = Bins.fit(dense, self.settings.bins or 1)
        design = self._with_bins(design)
        processes, names = Processes(), self.settings.devices
        if self.settings.accelerate is not None:
            processes = Processes.started()
            processes.check(self.settings.accumulation)
            names = [processes.device(names)]
        remedy = "raise accumulation, set gradient_checkpointing to true, or lower text.tokens"
        with free_device(names) as name, _place(name, threads, remedy) as place:
            self._device = name
            fit = _Fit(self, design, target, seed, threads, place, processes)
            self.networks, curves = fit.run()
            self.epoch_seconds = fit.epoch_seconds
        # Networks that stopped early have shorter curves.
        shortest = min((len(curve) for curve in curves), default=0)
        stacked = [[curve[epoch] for curve in curves] for epoch in range(shortest)]
        self._curve = [np.mean(each, axis=0) for each in stacked]
        self._watched = None

    def watched_design(self) -> Design | None:
        """Return the design of the watched rows, by the encoder of this fit."""
        if self._watched is None:
            return None
        return self._with_bins(self.encoder.transform(self._watched))

    def _with_bins(self, design: Design) -> Design:
        """Return a design whose dense columns are clipped, with their bins beside them."""
        dense = np.clip(design.dense, -FARTHEST, FARTHEST)
        return replace(design, dense=np.concatenate([dense, self.bins.encode(dense)], axis=1))

    def _predict(self, design: Design) -> Floats:
        from amlc.models.fusion.forward import predict  # noqa: PLC0415 - needs PyTorch
        from amlc.models.fusion.inputs import make_inputs  # noqa: PLC0415 - needs PyTorch

        tokenizer, lower_case = _tokenizer(self.networks[0])
        design = self._with_bins(design)
        inputs = make_inputs(design, self.settings, tokenizer, lower_case=lower_case)
        total = np.zeros(len(inputs))
        name = self._device or _first_device(self.settings)
        # A service predicts from several threads, which would move the networks at the same time.
        remedy = "predict where nothing else uses it, or on a CPU"
        with free_device([name]), _place(name, self._threads, remedy) as place:
            for network in self.networks:
                network.to(place.device)
                try:
                    total += predict(network, inputs, self.settings, place)
                finally:
                    network.to("cpu")
        return total / len(self.networks)

    def _save(self, folder: Path) -> None:
        write_arrays(folder / "bins.npz", **vars(self.bins))
        for number, network in enumerate(self.networks):
            network.save(folder / f"network{number}")
        paths = sorted(path for path in folder.glob("network*/**/*") if path.is_file())
        hashes = {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}
        write_json(folder / FILES, hashes)

    def _load(self, folder: Path) -> None:
        from amlc.models.fusion.network import FusionNetwork  # noqa: PLC0415 - needs PyTorch

        self.bins = Bins(**read_arrays(folder / "bins.npz"))
        for name, sha256 in read_json(folder / FILES).items():
            path = folder / name
            if not path.is_file():
                raise DataError(f"no such file: {path}")
            if file_sha256(path) != sha256:
                raise ModelError(f"{path}: damaged since it was written: run dvc repro")
        self.networks = [
            FusionNetwork.load(folder / f"network{number}", self.settings)
            for number in range(self.settings.networks)
        ]


class _Fit:
    """One fit: all networks to the same rows.

    Parameters
    ----------
    model : Fusion
        Its settings, and the rows that it watches.
    design, target : Design, Target
        The train rows.
    seed, threads : int
    place : Place
        Where to compute.
    processes : Processes
        Those that compute it together.
    """

    def __init__(
        self,
        model: Fusion,
        design: Design,
        target: Target,
        seed: int,
        threads: int,
        place: "Place",
        processes: Processes,
    ) -> None:
        self._settings = model.settings
        self._design = design
        self._watched = model.watched_design()
        self._target = target
        self._seed = seed
        self._threads = threads
        self._place = place
        self._processes = processes
        self._sources = _find_sources(model.settings)
        self.epoch_seconds: list[float] = []

    def run(self) -> tuple[list["FusionNetwork"], list[list[Floats]]]:
        """Return the networks, on the CPU, and the curve of each."""
        from amlc.models.fusion.inputs import make_inputs  # noqa: PLC0415 - needs PyTorch
        from amlc.models.fusion.network import merge_lora  # noqa: PLC0415 - needs PyTorch
        from amlc.models.fusion.training import Trainer  # noqa: PLC0415 - needs PyTorch

        settings, networks, curves = self._settings, [], []
        inputs = watched = None
        for number in range(settings.networks):
            network = self._network(number)
            if inputs is None:
                tokenizer, lower_case = _tokenizer(network)
                inputs, watched = (
                    None
                    if design is None
                    else make_inputs(design, settings, tokenizer, lower_case=lower_case)
                    for design in (self._design, self._watched)
                )
                assert inputs is not None
                digests = [each.digest() for each in (inputs, watched) if each is not None]
            trainer = Trainer(
                network,
                inputs,
                self._target,
                settings,
                self._place,
                self._checkpoint(number, digests),
                seed=self._seed,
                number=number,
                watched=watched,
                held_out=self._held_out(),
                label=f"network {number + 1} of {settings.networks}",
                processes=self._processes,
            )
            trainer.run()
            merge_lora(network)
            networks.append(network.to("cpu").eval())
            curves.append(trainer.curve)
            self.epoch_seconds += trainer.epoch_seconds
        return networks, curves

    def _network(self, number: int) -> "FusionNetwork":
        import torch  # noqa: PLC0415 - may not be installed

        from amlc.models.fusion.network import make_network  # noqa: PLC0415 - needs PyTorch

        columns, center = self._design.dense.shape[1], float(np.median(self._target.log_price))
        with _building, torch.random.fork_rng(devices=[]):
            torch.manual_seed(
                int(np.random.SeedSequence((self._seed, number)).generate_state(1)[0])
            )
            network = make_network(self._settings, self._sources, columns, center)
        network.to(self._place.device)
        return network

    def _held_out(self) -> Any:
        if not self._settings.early_stopping_epochs:
            return None
        return inner_splits(self._target.groups, self._seed)[0][1]

    def _checkpoint(self, number: int, digests: list[str]) -> "Checkpoint":
        from amlc.models.fusion.checkpoint import (  # noqa: PLC0415 - needs safetensors
            Checkpoint,
            default_folder,
        )

        target = self._target
        weight = b"" if target.weight is None else target.weight.tobytes()
        prices = hashlib.sha256(target.log_price.tobytes() + target.groups.tobytes() + weight)
        parameters = {
            **self._settings.trained(),
            "seed": self._seed,
            "network": number,
            "threads": self._threads,
            "device": self._place.device.type,
            "processes": self._processes.count,
        }
        parts = {
            "data": " ".join([prices.hexdigest(), *digests]),
            "parameters": json.dumps(parameters, sort_keys=True),
            "weights": " ".join(source.fingerprint() for source in self._sources.values()),
            "code": hashlib.sha256(checksums(_ROOT, code_files()).encode()).hexdigest(),
            "library versions": json.dumps(_versions()),
        }
        return Checkpoint(default_folder(), parts, self._settings.checkpoints)


def _find_sources(settings: FusionSettings) -> dict[str, Source]:
    towers = {"text": settings.text, "image": settings.image}
    return {
        name: find_source(tower.model, tower.revision)
        for name, tower in towers.items()
        if tower is not None
    }


def code_files() -> set[Path]:
    """Return the files on which the result of a fit depends, relative to the repository's root."""
    return imported_files(_ROOT, [Path(__file__).relative_to(_ROOT)])


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - only fits ask

    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _tokenizer(network: "FusionNetwork") -> tuple[Any, bool]:
    tower = network.text
    return (None, False) if tower is None else (tower.tokenizer, tower.config.lower_case)


def _is_available(device: str) -> bool:
    import torch  # noqa: PLC0415 - may not be installed

    return device == "cpu" or int(device.partition(":")[2]) < torch.cuda.device_count()


def _first_device(settings: FusionSettings) -> str:
    """Return the first device of the settings that this machine has, else the CPU."""
    return next(filter(_is_available, settings.devices), "cpu")


@contextmanager
def free_device(names: list[str]) -> Iterator[str]:
    """Wait for a device that no other fit uses, and yield its name."""
    missing = [name for name in names if not _is_available(name)]
    if missing:
        raise ModelError(
            f"train.fusion.devices: this machine has no {', '.join(missing)}: set it to [cpu], or "
            "to the GPUs that nvidia-smi lists"
        )
    with _choosing:
        locks = {name: _devices.setdefault(name, threading.Lock()) for name in names}
        while (name := next((n for n in names if locks[n].acquire(blocking=False)), "")) == "":
            _choosing.wait()
    try:
        yield name
    finally:
        with _choosing:
            locks[name].release()
            _choosing.notify_all()


@contextmanager
def _place(device: str, threads: int, remedy: str) -> Iterator["Place"]:
    """Let PyTorch compute reproducibly on a device in the block.

    Parameters
    ----------
    device : str
    threads : int
        0: as many as PyTorch takes.
    remedy : str
        What to do where the device's memory is too small.
    """
    import torch  # noqa: PLC0415 - may not be installed

    from amlc.models.fusion.forward import Place  # noqa: PLC0415 - needs PyTorch

    threads = threads or torch.get_num_threads()
    with (
        memory_errors(f"train.fusion: the memory of {device} is too small: {remedy}"),
        deterministic(threads),
        ThreadPoolExecutor(threads) as pool,
    ):
        if device != "cpu":
            # Some operations have no deterministic version there.
            torch.use_deterministic_algorithms(True, warn_only=True)
        yield Place(torch.device(device), pool)
