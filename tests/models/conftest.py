"""Synthetic products that the tests of models share."""

import pandas as pd
import pytest

from amlc.features.blocks import Blocks
from amlc.models.target import Target
from tests.helpers.learning import make_products


@pytest.fixture(scope="session")
def catalogue() -> tuple[Blocks, Target, pd.DataFrame]:
    """Return blocks, target and product table of 240 train products."""
    return make_products(240, seed=1)
