"""Forward passes: the device that they run on, the inputs of a batch, and predictions."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from amlc.arrays import Floats, Rows
from amlc.models.fusion.inputs import Inputs, prediction_batches
from amlc.models.fusion.network import FusionNetwork, set_training
from amlc.models.fusion.pictures import picture_batch
from amlc.models.fusion.settings import FusionSettings
from amlc.models.fusion.text import text_batch

# Rows of a batch in predictions, or their pictures where there are more.
PREDICTED_TOGETHER = 64


@dataclass(frozen=True)
class Place:
    """Where a network computes.

    Parameters
    ----------
    device : torch.device
        A CPU or a GPU.
    pool : Executor
        Decodes pictures.
    """

    device: torch.device
    pool: Executor

    def seed(self, *numbers: int) -> None:
        """Seed the generator from which dropout draws."""
        value = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
        if self.device.type == "cuda":
            torch.cuda.default_generators[self.device.index or 0].manual_seed(value)
        else:
            torch.default_generator.manual_seed(value)

    def put(self, array: np.ndarray[Any, Any]) -> Tensor:
        """Return an array as a tensor on the device."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def autocast(self, settings: FusionSettings, *, training: bool) -> Any:
        """Return the context of a forward pass; predictions are always computed in float32."""
        enabled = training and settings.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)


@dataclass
class Batcher:
    """Puts the inputs of some rows on the device.

    Parameters
    ----------
    inputs : Inputs
    settings : FusionSettings
    place : Place
    augmented : bool
        Whether texts and pictures change at random.
    """

    inputs: Inputs
    settings: FusionSettings
    place: Place
    augmented: bool = False

    def forward(
        self, network: FusionNetwork, rows: Rows, layout: int, seed: tuple[int, ...] = ()
    ) -> Tensor:
        """Return the log prices of some rows."""
        put, inputs, augment = self.place.put, self.inputs, self.settings.augment
        text = image = None
        if self.settings.text is not None:
            assert inputs.vocabulary is not None
            limit, tokens = self.settings.text.tokens, inputs.texts[layout]
            changes = rng = None
            if self.augmented and (augment.drop_bullets or augment.mask_words):
                changes = (augment.drop_bullets, augment.mask_words)
                rng = np.random.default_rng(seed)
            batch = text_batch(tokens, rows, limit, inputs.vocabulary, changes, rng)
            text = (put(batch.ids), put(batch.mask), put(batch.rows))
        if network.image is not None and inputs.pictures is not None:
            steps = network.image.preprocessing
            changed = augment if self.augmented else None
            pictures = picture_batch(
                inputs.pictures, rows, steps, self.place.pool, changed, (*seed[:3], 1)
            )
            # Where each row has one picture, there is nothing to average.
            several = (pictures.counts > 1).any()
            counts = put(pictures.counts) if several else None
            image = (put(pictures.pixels), put(pictures.rows), counts)
        log_price: Tensor = network(put(inputs.dense[rows]), text, image)
        return log_price


def predict(
    network: FusionNetwork, inputs: Inputs, settings: FusionSettings, place: Place
) -> Floats:
    """Return log prices, the mean over the layouts, computed in float32.

    Parameters
    ----------
    network : FusionNetwork
        On the device.
    inputs : Inputs
        Of the rows to predict.
    settings : FusionSettings
    place : Place

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    return predict_rows(network, inputs, np.arange(len(inputs)), settings, place)


def predict_rows(
    network: FusionNetwork,
    inputs: Inputs,
    rows: Rows,
    settings: FusionSettings,
    place: Place,
    *,
    training: bool = False,
) -> Floats:
    """Return the log prices of some rows; between epochs, in the precision of training."""
    set_training(network, training=False)
    batcher = Batcher(inputs, settings, place)
    limit = 0 if settings.text is None else settings.text.tokens
    layouts = max(len(inputs.texts), 1)
    total = np.zeros(len(rows))
    with torch.no_grad(), place.autocast(settings, training=training):
        for layout in range(layouts):
            lengths = inputs.lengths(layout, limit)[rows]
            counts = inputs.picture_counts[rows]
            batches = list(prediction_batches(lengths, counts, PREDICTED_TOGETHER))
            results = [batcher.forward(network, rows[batch], layout) for batch in batches]
            # Copied when all are computed: a GPU would wait at each copy.
            for batch, values in zip(batches, results, strict=True):
                total[batch] += values.cpu().numpy()
    return total / layouts
