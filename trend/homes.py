"""Where reels come from: region and language, and whether a cascade is at home in few of them.

A region or language is known by 32 bits of a hash of its primary subtag in lower case (`pt-BR` is
`pt`). How common each is on the platform is counted in 256 buckets, so that no text can fill the
memory. A cascade's distance from the platform is the Kullback-Leibler divergence

    apart = sum over buckets of share * ln(share / usual share)

with its shares drawn to the usual ones as if it had `_DOUBT` more reels of these.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

BUCKETS: Final = 256
UNKNOWN: Final = 0
"""The home of a reel that names none."""
_DOUBT: Final = 3.0
_PRIME: Final = np.uint32(16_777_619)
_BASIS: Final = np.uint32(2_166_136_261)


@njit(cache=True, nogil=True)
def homes(data: U8, starts: I32, lengths: I32) -> U32:
    """Return the homes that n texts name, uint32[n]; `UNKNOWN` for an empty text or none.

    Args:
        data: UTF-8.
        starts, lengths: int32[n], bytes; negative lengths are no text.
    """
    found = np.zeros(starts.size, np.uint32)
    for i in range(starts.size):
        code = _BASIS
        used = 0
        for at in range(starts[i], starts[i] + lengths[i]):
            byte = data[at]
            if byte in (45, 95):  # - and _: what follows is more special
                break
            if 65 <= byte <= 90:
                byte += 32
            code = np.uint32((code ^ np.uint32(byte)) * _PRIME)
            used += 1
        if used:
            found[i] = max(code, np.uint32(1))
    return found


def home(text: str) -> int:
    """Return the home that one text names.

    Example:
        >>> home("pt-BR") == home("PT") != home("br")
        True
    """
    data = np.frombuffer(text.encode() or b" ", np.uint8)
    bounds = np.array([[0], [len(text.encode())]], np.int32)
    return int(homes(data, bounds[0], bounds[1])[0])


def sums(codes: U32, groups: I64, count: int) -> I64:
    """Return how many reels of each group are of each bucket, int64[count, 2, BUCKETS].

    Args:
        codes: region and language, uint32[n, 2].
        groups: which group each reel is in, int64[n], below `count`.
    """
    found = np.zeros((count, 2, BUCKETS), np.int64)
    for part in range(2):
        known = codes[:, part] != UNKNOWN
        at = groups[known] * BUCKETS + codes[known, part] % BUCKETS
        found[:, part] = np.bincount(at, minlength=count * BUCKETS).reshape(count, BUCKETS)
    return found


@njit(cache=True, nogil=True)
def apart(codes: U32, usual: I64) -> F64:
    """Return how far reels are from where the platform's come from, float64[2]; 0: not known.

    Args:
        codes: region and language of one reel of each author, uint32[n, 2].
        usual: `sums` over the platform's reels, int64[2, BUCKETS].

    Example:
        >>> codes = np.array([[home("BR"), home("pt")]] * 9 + [[home("US"), 0]] * 91, np.uint32)
        >>> usual = sums(codes, np.zeros(100, np.int64), 1)[0]
        >>> apart(codes, usual).round(2).tolist(), apart(codes[:9], usual).round(2).tolist()
        ([0.0, 0.0], [1.35, 0.0])
    """
    found = np.zeros(2)
    own = np.empty(BUCKETS, np.int64)
    for part in range(2):
        own[:] = 0
        for i in range(codes.shape[0]):
            if codes[i, part] != UNKNOWN:
                own[codes[i, part] % BUCKETS] += 1
        # Those of a bucket that the platform has not seen lately do not count.
        total = known = np.int64(0)
        for bucket in range(BUCKETS):
            total += usual[part, bucket]
            known += own[bucket] * (usual[part, bucket] > 0)
        if not known:
            continue
        for bucket in range(BUCKETS):
            common = usual[part, bucket] / total
            if common > 0.0:
                share = (own[bucket] + _DOUBT * common) / (known + _DOUBT)
                found[part] += share * math.log(share / common)
    return found
