"""Bytewax-shaped pieces around the science and the contract: sources, steps, sinks."""

from pathlib import Path

from operators.kernels import forget_stale

# numba looks for what it has compiled when a kernel is called first, which is after this.
_OPERATORS = Path(__file__).parent
_TREND, _SCHEMAS = _OPERATORS.parent / "trend", _OPERATORS.parent / "schemas"
forget_stale(_TREND)
forget_stale(_OPERATORS, [_TREND, _SCHEMAS])
