"""The names of the feature blocks, and of the columns of the tabular one."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from amlc.errors import DataError

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
# The suffix of the files of the dense blocks, such as those of the encoders.
DENSE_SUFFIX = ".npy"


def expand(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the names of blocks with the name of each encoder in place of "encoders".

    Parameters
    ----------
    folder : Path
        The folder ``data/features``.
    names : iterable of str
        Names as in params.yaml.

    Raises
    ------
    DataError
        There is no encoder, or none of a given name.
    """
    expanded: list[str] = []
    there = sorted(path.stem for path in (folder / ENCODERS).glob(f"*{DENSE_SUFFIX}"))
    for name in names:
        if name == ENCODERS:
            expanded += [f"{ENCODERS}.{encoder}" for encoder in there]
        else:
            expanded.append(name)
        wanted = name.removeprefix(f"{ENCODERS}.")
        if (name == ENCODERS and not there) or (name != wanted and wanted not in there):
            raise DataError(
                f"{folder / ENCODERS}: no block {name}; encoders: {', '.join(there) or 'none'}; "
                "name it in the section encoders of params.yaml and run the stage encode"
            )
    return list(dict.fromkeys(expanded))
