"""How far prices are from those that the blend predicts, which sets the widths of intervals."""

from dataclasses import dataclass

import numpy as np
from pydantic import field_validator

from amlc.arrays import Floats, Ints32, Rows
from amlc.features.block_names import BlockName
from amlc.features.blocks import Blocks, Dense
from amlc.models.lgbm import LightGBM, LightgbmSettings
from amlc.models.target import Target, WeightSettings

# The block with the blend's log price, beside those that the settings name.
BLENDED = "blended"
# Added to absolute errors before their logarithm is taken: how exact a lucky hit is says nothing.
OFFSET = 0.05


class SpreadSettings(LightgbmSettings):
    """Section `spread` of params.yaml."""

    @field_validator("blocks")
    @classmethod
    def _always_there(cls, blocks: list[BlockName]) -> list[BlockName]:
        if not {*blocks} <= {"tabular", "neighbours"}:
            raise ValueError("expected tabular, neighbours or both")
        return blocks

    @field_validator("weights")
    @classmethod
    def _no_weights(cls, weights: WeightSettings | None) -> None:
        if weights is not None:
            raise ValueError("expected null: all errors have the same weight")


class Spread(LightGBM):
    """Predict the typical absolute error of the blend's log price.

    Notes
    -----
    Errors divided by it are nearly alike in all products, so that the same conformal limits serve
    them all: normalised nonconformity scores (Papadopoulos, Gammerman and Vovk, Normalized
    nonconformity measures for regression conformal prediction, 2008).
    """

    settings_type = SpreadSettings
    settings: SpreadSettings

    def scale(self, blocks: Blocks, blended: Floats) -> Floats:
        """Return the typical absolute error of each product's log price.

        Parameters
        ----------
        blocks : Blocks
            Features of the products; those that the settings do not name are ignored.
        blended : ndarray of float64, shape (n,)
            The blend's log prices of the same products.

        Returns
        -------
        ndarray of float64, shape (n,)
            Positive.
        """
        return np.asarray(np.exp(self.predict(with_blended(blocks, blended))))

    def _select(self, blocks: Blocks) -> Blocks:
        return super()._select(blocks).assign(**blocks.select([BLENDED]).dense)


def with_blended(blocks: Blocks, blended: Floats) -> Blocks:
    """Return the blocks with one more, of the blend's log prices."""
    column = blended.astype(np.float32)[:, None]
    return blocks.assign(**{BLENDED: Dense(column, ("log price",))})


@dataclass(frozen=True)
class SpreadFitter:
    """Fit models of the spread to some of the train rows.

    Parameters
    ----------
    settings : SpreadSettings
        Section `spread` of params.yaml.
    blocks : Blocks
        Features of all products.
    train : ndarray of int, shape (n,)
        Positions of the train rows among the products.
    groups : ndarray of int, shape (n,)
        The duplicate groups of the train rows.
    seed : int
        Seed of every random draw.
    """

    settings: SpreadSettings
    blocks: Blocks
    train: Rows
    groups: Ints32
    seed: int

    def fit(self, rows: Rows, blended: Floats, actual: Floats) -> Spread:
        """Return a model that is fitted to some of the train rows.

        Parameters
        ----------
        rows : ndarray of int, shape (m,)
            Which of the train rows.
        blended, actual : ndarray of float64, shape (m,)
            Their log prices: the blend's and the true ones.
        """
        # The digits of float32, as in `amlc.models.target.log_prices`.
        error = np.log(np.abs(actual - blended) + OFFSET).astype(np.float32).astype(np.float64)
        blocks = with_blended(self.blocks.take(self.train[rows]), blended)
        model = Spread(self.settings)
        # A fit takes a fraction of a second: more threads gain nothing.
        model.fit(blocks, Target(error, self.groups[rows]), seed=self.seed, threads=1)
        return model

    def scale(self, model: Spread, rows: Rows, blended: Floats) -> Floats:
        """Return what a model predicts for some of the train rows, as `Spread.scale`."""
        return model.scale(self.blocks.take(self.train[rows]), blended)
