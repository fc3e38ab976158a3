"""Which texts are Unicode-normalised already, so that only the others are paid for."""

import numpy as np
import numpy.typing as npt
from numba import njit

from trend.characters import HARD, Table, decode


@njit(cache=True)
def hard_rows(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    table: Table,
) -> npt.NDArray[np.bool_]:
    """Texts that need more than simple lower-casing to be in NFKC and case-folded.

    The quick check of UAX #15: every code point must be stable by itself, with its marks in
    canonical order.

    Parameters: `data` uint8, UTF-8; `starts`, `lengths` int64 of shape (n,), in bytes; `table` of
    `trend.characters.folding_table`. Returns bool of shape (n,).
    """
    hard = np.zeros(starts.size, np.bool_)
    for row in range(starts.size):
        at = starts[row]
        end = at + lengths[row]
        last = 0
        while at < end:
            if data[at] < 0x80:
                at += 1
                last = 0
                continue
            code, width = decode(data, at)
            order = int(table[code])
            if order == HARD or (order != 0 and order < last):
                hard[row] = True
                break
            last = order
            at += width
    return hard
