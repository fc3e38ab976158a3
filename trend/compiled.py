"""How the kernels of the counts are compiled.

They work in place on arrays that their caller owns and make none themselves. So numba need not
count references to them: two atomic operations for each array that a function takes, which cost
more than counting a use does. Divisions by zero are not looked for either.

`inlined` puts a kernel's body where it is called, before types are known.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function that makes no arrays; it does not hold the interpreter's lock."""
    compiled: F = njit(cache=True, nogil=True, _nrt=False, error_model="numpy")(function)
    return compiled


def inlined(function: F) -> F:
    """As `kernel`, and part of whatever calls it."""
    compiled: F = njit(cache=True, inline="always", _nrt=False, error_model="numpy")(function)
    return compiled
