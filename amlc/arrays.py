"""The arrays that pass between modules, by the names that signatures give them."""

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints32 = NDArray[np.int32]
Ints64 = NDArray[np.int64]
Objects = NDArray[np.object_]
# Channels of pictures.
Pixels = NDArray[np.uint8]
# Positions of rows, or of columns.
Rows = NDArray[np.intp]
