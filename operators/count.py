"""Sixth step: each shard counts its signals.

The uses wait in the shard until all partitions have completed their tick (`operators.watermarks`);
then `operators.detect` closes it. The science is in `trend.counts` and `trend.shard`.
"""

from collections.abc import Sequence

from operators.blocks import ShardRows
from operators.detect import ShardReport, detect
from operators.durable.machine import Machine
from operators.metrics import EVICTED, LIMIT, LIVE, USED, Sizes
from operators.watermarks import Watermarks
from trend import layout as k
from trend.budget import ShardSettings
from trend.closing import bytes_of
from trend.shard import Shard


class Counting(Machine[ShardRows, ShardReport]):
    """One shard, keyed by its name."""

    def __init__(self, settings: ShardSettings, partitions: Sequence[str]) -> None:
        self._shard = Shard(settings)
        self._marks = Watermarks(partitions)
        self._through: int | None = None

    def key_of(self, value: ShardRows) -> str:
        """The shard."""
        return value.shard

    def know(self, partitions: Sequence[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        return self._marks.know(partitions)

    def sizes(self) -> Sizes:
        """How full the shard is."""
        n, settings = self._shard.counts.n, self._shard.settings
        return {
            (LIVE, ()): float(n[k.ROWS]),
            (EVICTED, ()): float(n[k.EVICTED]),
            (USED, ("signals",)): float(bytes_of(n)),
            (LIMIT, ("signals",)): settings.max_bytes,
            (USED, ("uses",)): float(n[k.NEXT_USE] - n[k.FIRST_USE]),
            (LIMIT, ("uses",)): settings.max_uses,
            (USED, ("pairs",)): float(n[k.PAIRS]),
            (LIMIT, ("pairs",)): settings.max_pairs,
        }

    def apply(self, values: list[ShardRows]) -> list[ShardReport]:
        """Take the uses of some polls, then close what they completed."""
        for value in values:
            self._shard.add(value.rows, value.labels, value.volume)
            self._marks.take(value.partition, value.closed, value.end)
        through = self._marks.through()
        if through is None or (self._through is not None and through <= self._through):
            return []
        self._through = through
        return detect(values[-1].shard, self._shard, through)
