"""Sixth step: each shard counts its signals.

The uses wait in the shard until all partitions have completed their tick (`operators.watermarks`);
then `operators.detect` closes it. The science is in `trend.counts` and `trend.shard`.
"""

import pickle
from collections.abc import Sequence

from bytewax.operators import StatefulBatchLogic

from operators.blocks import ShardRows
from operators.detect import ShardReport, detect
from operators.watermarks import Watermarks
from trend.budget import ShardSettings
from trend.shard import Shard


class CountLogic(StatefulBatchLogic[ShardRows, ShardReport, bytes]):
    """One shard as a Bytewax step, keyed by its name."""

    def __init__(
        self,
        settings: ShardSettings,
        partitions: Sequence[str],
        resume_state: bytes | None,
        recovery: bool,
    ) -> None:
        self._recovery = recovery
        self._shard: Shard
        self._marks: Watermarks
        self._through: int | None
        if resume_state is None:
            self._shard, self._marks, self._through = Shard(settings), Watermarks(partitions), None
        else:
            self._shard, self._marks, self._through = pickle.loads(resume_state)

    def on_batch(self, values: list[ShardRows]) -> tuple[list[ShardReport], bool]:
        """Take the uses of some polls, then close what they completed."""
        for value in values:
            self._shard.add(value.rows, value.labels, value.volume)
            self._marks.take(value.partition, value.closed, value.end)
        through = self._marks.through()
        if through is None or (self._through is not None and through <= self._through):
            return [], StatefulBatchLogic.RETAIN
        self._through = through
        return detect(values[-1].shard, self._shard, through), StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        """Return the whole state, pickled now, as it changes later."""
        if not self._recovery:
            return b""
        return pickle.dumps((self._shard, self._marks, self._through), pickle.HIGHEST_PROTOCOL)
