"""The names of the feature blocks, and of the columns of the tabular one."""

import re
from typing import Annotated

from pydantic import AfterValidator

BLOCKS = ("tabular", "terms", "topics", "vision", "neighbours")
# All pretrained encoders of params.yaml; one of them is "encoders.NAME".
ENCODERS = "encoders"
_ONE_ENCODER = re.compile(rf"{ENCODERS}\.[a-z0-9][a-z0-9_-]{{0,39}}")


def _known(name: str) -> str:
    if name not in {*BLOCKS, ENCODERS} and not _ONE_ENCODER.fullmatch(name):
        raise ValueError(f"expected one of {', '.join(BLOCKS)}, {ENCODERS}, {ENCODERS}.NAME")
    return name


BlockName = Annotated[str, AfterValidator(_known)]

# The prefix of a tabular column determines how models encode it.
NUMERIC = "num_"  # float32, scaled to [0, 1] over the train rows
CATEGORICAL = "cat_"  # few, fixed categories
HIGH_CARDINALITY = "key_"  # text, for target encoding inside the folds; "" if it is missing
