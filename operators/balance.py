"""Which worker counts which shards, so that all are busy for equally long.

A worker reads the partitions that Bytewax deals it, and one has the step for all shards beside.
What these cost was measured (benchmarks/README.md, "Where the time goes"); shards make up for it.
"""

from collections.abc import Sequence
from typing import Final

from operators.blocks import GRAPH, ONE, SHARDS, shard_name
from operators.routing import PLACES, deal, key_at, place_of

READ: Final = 0.28
"""Share of a run's work up to explode, for all partitions together."""
COUNT: Final = 0.39
SYNTHESISE: Final = 0.31
SINKS: Final = 0.02
COOCCUR: Final = 0.19
"""Of the co-occurrence graph, to be added where it is kept."""


def shard_keys(partitions: int, graph: bool = False) -> dict[str, str]:
    """Return the key in the dataflow of each shard, by its name."""
    places = deal(fixed_loads(partitions, graph), SHARDS, COUNT / SHARDS)
    names = [shard_name(shard) for shard in range(SHARDS)]
    return {name: key_at(name, place) for name, place in zip(names, places, strict=True)}


def fixed_loads(partitions: int, graph: bool = False) -> Sequence[float]:
    """Return what the worker at each place has to do beside its shards."""
    loads = [0.0] * PLACES
    for partition in range(partitions):
        loads[partition % PLACES] += READ / partitions
    loads[0] += SINKS
    loads[place_of(ONE)] += SYNTHESISE
    loads[place_of(GRAPH)] += COOCCUR if graph else 0.0
    return loads
