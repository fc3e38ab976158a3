"""Bytes read and written by address, as in C: what the rest of the scanner is made of.

A cursor is an address, an int. It travels in a register where an array would bring along its shape
and strides, a reference count, and a check of each index for being negative: a scanner that passes
arrays to its small functions takes several times as long.

Nothing is checked here. `operators.scanner.lines.scan` is the only way in from outside, and
answers for all addresses: each line ends in a newline, which no function steps over; `SLACK` bytes
after the last one can be read, and as many after the end of what is written can be written.
Words are little-endian, as all platforms are that numba compiles for.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH: Final = 32
"""Bytes that `copy_plain` looks at together."""

SLACK: Final = 2 * WIDTH
"""Bytes that can be touched past the end of what is read or written."""

_BYTE = ir.IntType(8)
_HALF = ir.IntType(32)
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_BYTE, WIDTH)


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _all(byte: int) -> Any:
    return ir.Constant(_VECTOR, [byte] * WIDTH)


def _address(typing_context: Any, array: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        made = cgutils.create_struct_proxy(signature.args[0])(context, builder, values[0])  # type: ignore[no-untyped-call]
        return builder.ptrtoint(made.data, _WORD)

    return types.int64(array), build


address = cast("Callable[[npt.NDArray[Any]], int]", intrinsic(_address))
"""The address of the first byte of an array, whose bytes are on end: `address(array)`."""


def _peek(typing_context: Any, at: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.zext(builder.load(_at(builder, values[0], _BYTE), align=1), _WORD)

    return types.int64(types.int64), build


peek = cast("Callable[[int], int]", intrinsic(_peek))
"""The byte at an address, as an int: `peek(at)`."""


def _peek_word(typing_context: Any, at: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_at(builder, values[0], _WORD), align=1)

    return types.int64(types.int64), build


peek_word = cast("Callable[[int], int]", intrinsic(_peek_word))
"""The eight bytes from an address on, as one int: `peek_word(at)`."""


def _poke_word(typing_context: Any, to: Any, word: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[1], _at(builder, values[0], _WORD), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


poke_word = cast("Callable[[int, int], None]", intrinsic(_poke_word))
"""Write an int to the eight bytes from an address on: `poke_word(to, word)`."""


def _poke_half(typing_context: Any, to: Any, half: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(builder.trunc(values[1], _HALF), _at(builder, values[0], _HALF), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


poke_half = cast("Callable[[int, int], None]", intrinsic(_poke_half))
"""Write an int to the four bytes from an address on: `poke_half(to, half)`."""


def _copy_plain(typing_context: Any, at: Any, to: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        some = builder.load(_at(builder, values[0], _VECTOR), align=1)
        builder.store(some, _at(builder, values[1], _VECTOR), align=1)
        stops = builder.icmp_signed("<", some, _all(ord(" ")))  # beyond ASCII too: negative
        for byte in b'"\\':
            stops = builder.or_(stops, builder.icmp_signed("==", some, _all(byte)))
        return builder.zext(builder.bitcast(stops, ir.IntType(WIDTH)), _WORD)

    return types.int64(types.int64, types.int64), build


copy_plain = cast("Callable[[int, int], int]", intrinsic(_copy_plain))
"""Copy `WIDTH` bytes, and tell which are not plain: `copy_plain(at, to)`.

Bit i is set where byte i is not a plain character of a JSON string: a quotation
mark, a backslash, a control character, or a part of a character beyond ASCII.
"""


def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], cgutils.true_bit)

    return types.int64(types.int64), build


trailing_zeros = cast("Callable[[int], int]", intrinsic(_trailing_zeros))
"""How many of the lowest bits of an int, which is not 0, are 0: `trailing_zeros(word)`."""
