"""Several bytes of a buffer at once, in one machine instruction, at any place.

Numba reads an array one element at a time, and checks each index for being negative. A hash or a
copy that goes over millions of short texts byte by byte spends most of its time on that.

Nothing is checked here: the caller answers for `at` and the bytes after it being in the buffer.
Words are little-endian, as all platforms are that numba compiles for.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Bytes = npt.NDArray[np.uint8]
Int = int | np.int64


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, at: Any, bits: int) -> Any:
    """Return the address of `array[at]` as a pointer to a word of so many bits."""
    proxy = cgutils.create_struct_proxy(array_type)  # type: ignore[no-untyped-call]
    data = proxy(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), ir.IntType(bits).as_pointer())


def _load(typing_context: Any, data: Any, at: Any, bits: int) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = context.cast(builder, values[1], signature.args[1], types.intp)
        pointer = _pointer(context, builder, signature.args[0], values[0], place, bits)
        return builder.zext(builder.load(pointer, align=1), ir.IntType(64))

    return types.uint64(data, at), build


def _load64(typing_context: Any, data: Any, at: Any) -> Any:
    return _load(typing_context, data, at, 64)


load64 = cast("Callable[[Bytes, Int], np.uint64]", intrinsic(_load64))
"""Eight bytes of `data` from `at` as one uint64: `load64(data, at)`."""


def _load32(typing_context: Any, data: Any, at: Any) -> Any:
    return _load(typing_context, data, at, 32)


load32 = cast("Callable[[Bytes, Int], np.uint64]", intrinsic(_load32))
"""Four bytes of `data` from `at` as one uint64: `load32(data, at)`."""


def _store(typing_context: Any, data: Any, at: Any, word: Any, bits: int) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = context.cast(builder, values[1], signature.args[1], types.intp)
        pointer = _pointer(context, builder, signature.args[0], values[0], place, bits)
        word = context.cast(builder, values[2], signature.args[2], types.uint64)
        builder.store(builder.trunc(word, ir.IntType(bits)), pointer, align=1)
        return context.get_dummy_value()

    return types.void(data, at, word), build


def _store64(typing_context: Any, data: Any, at: Any, word: Any) -> Any:
    return _store(typing_context, data, at, word, 64)


store64 = cast("Callable[[Bytes, Int, np.uint64], None]", intrinsic(_store64))
"""Write a uint64 to the eight bytes of `data` from `at`: `store64(data, at, word)`."""


def _store32(typing_context: Any, data: Any, at: Any, word: Any) -> Any:
    return _store(typing_context, data, at, word, 32)


store32 = cast("Callable[[Bytes, Int, np.uint64], None]", intrinsic(_store32))
"""Write the lower half of a uint64 to the four bytes of `data` from `at`."""


def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], cgutils.true_bit)

    return types.int64(types.uint64), build


trailing_zeros = cast("Callable[[np.uint64], int]", intrinsic(_trailing_zeros))
"""How many of the lowest bits of a uint64, which is not 0, are 0."""


@njit(cache=True, inline="always")
def copy(source: Bytes, at: Int, length: Int, target: Bytes, to: Int) -> None:
    """Copy `length` bytes from `source[at]` on to `target[to]` on, and no byte more.

    The last word overlaps the one before it, so that there are no bytes left to loop over. The two
    places must not overlap.
    """
    if length >= 8:
        done = 0
        while done + 8 < length:
            store64(target, to + done, load64(source, at + done))
            done += 8
        store64(target, to + length - 8, load64(source, at + length - 8))
    elif length >= 4:
        store32(target, to, load32(source, at))
        store32(target, to + length - 4, load32(source, at + length - 4))
    else:
        for i in range(length):
            target[to + i] = source[at + i]
