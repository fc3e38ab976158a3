"""Bytewax-shaped pieces around the science and the contract: sources, steps, sinks."""

from pathlib import Path

from trend.sources import forget_stale

_HERE = Path(__file__).parent
forget_stale(_HERE, [_HERE.parent / "trend", _HERE.parent / "schemas"])
