"""The types of arrays in this package."""

from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Records = npt.NDArray[np.void]
Int = int | np.int64
"""A whole number as kernels see it: always int64."""


def longer(array: npt.NDArray[Any], size: int, fill: float = 0) -> npt.NDArray[Any]:
    """Return the array with room for `size` rows, the new ones filled.

    Example:
        >>> longer(np.array([1, 2]), 4, fill=-1).tolist()
        [1, 2, -1, -1]
    """
    grown = np.full((size, *array.shape[1:]), fill, array.dtype)
    grown[: array.shape[0]] = array
    return grown
