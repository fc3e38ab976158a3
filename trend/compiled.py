"""How the kernels of the counts are compiled.

They work in place on arrays that their caller owns and make none themselves. So numba need not
count references to them: two atomic operations for each array that a function takes, which cost
more than counting a use does. Divisions by zero are not looked for either.

`inlined` puts a kernel's body where it is called, before types are known. `prefetch` asks for
memory that will be needed a little later: uses of signals are strewn over tables larger than the
caches.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])


# Numba's types do not tell of `_nrt`, its option to compile without the runtime for references.
_compiler: Any = njit


def _compile(function: F, **options: Any) -> F:
    compiled: F = _compiler(cache=True, _nrt=False, error_model="numpy", **options)(function)
    return compiled


def kernel(function: F) -> F:
    """Compile a function that makes no arrays; it does not hold the interpreter's lock."""
    return _compile(function, nogil=True)


def inlined(function: F) -> F:
    """As `kernel`, and part of whatever calls it."""
    return _compile(function, inline="always")


# Its helpers are not typed either.
_cg: Any = cgutils


def _prefetch(_: Any, array: Any, at: Any) -> Any:
    """Ask for the line of the cache that `array[at]` begins in; `at` must be in the array."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, index = signature.args
        given = context.make_array(kind)(context, builder, args[0])
        first = context.cast(builder, args[1], index, types.intp)
        rest = [context.get_constant(types.intp, 0)] * (kind.ndim - 1)
        item = _cg.get_item_pointer(context, builder, kind, given, [first, *rest])
        address = builder.bitcast(item, _cg.voidptr_t)
        number = ir.IntType(32)
        called = _cg.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [_cg.voidptr_t, number, number, number]),
            "llvm.prefetch.p0",
        )
        builder.call(called, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, at), codegen


prefetch: Any = intrinsic(_prefetch)
