"""Arrays that are lent to a kernel, without a count of references.

Wherever a kernel hands an array to a function with a loop in it, numba counts a reference up and,
after it, down: two atomic operations of some 5 ns each. In a kernel that calls such functions once
a word or once a text they are most of the time.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba.core import cgutils
from numba.extending import intrinsic

Array = TypeVar("Array")


def _lent(typing_context: Any, array: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        proxy = cgutils.create_struct_proxy(array)  # type: ignore[no-untyped-call]
        same = proxy(context, builder, values[0])
        same.meminfo = cgutils.get_null_value(same.meminfo.type)  # type: ignore[no-untyped-call]
        same.parent = cgutils.get_null_value(same.parent.type)  # type: ignore[no-untyped-call]
        return same._getvalue()

    return array(array), build


lent = cast("Callable[[Array], Array]", intrinsic(_lent))
"""The same array without its count of references: `data = lent(data)`.

For the parameters of a kernel that is called from Python, at its beginning: its caller holds
them until it returns. Never for an array that the kernel makes, which would be freed after its
last use under its own name.
"""
