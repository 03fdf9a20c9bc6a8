"""Names of array types for annotations."""

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints8 = NDArray[np.int8]
Ints32 = NDArray[np.int32]
Ints64 = NDArray[np.int64]
Objects = NDArray[np.object_]
# Channels of pictures.
Pixels = NDArray[np.uint8]
# Positions of rows or of columns.
Rows = NDArray[np.intp]
